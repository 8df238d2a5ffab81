//! A strategy takes a grant, not what the app would like to be delivered.

use secure_download_core::{DeliveryStrategy, Download, RequestHead};

async fn deliver(strategy: &dyn DeliveryStrategy, download: Download, head: &RequestHead) {
    let _ = strategy.deliver(download, head).await;
}

fn main() {}
