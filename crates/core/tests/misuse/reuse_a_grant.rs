//! Delivery consumes the grant.

use secure_download_core::{DeliveryStrategy, Grant, RequestHead};

async fn twice(strategy: &dyn DeliveryStrategy, grant: Grant, head: &RequestHead) {
    let _ = strategy.deliver(grant, head).await;
    let _ = strategy.deliver(grant, head).await;
}

fn main() {}
