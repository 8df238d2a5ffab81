//! A URL is signed for a grant, not for a key.

use std::time::{Duration, SystemTime};

use http::Method;
use secure_download_core::{Download, UrlSigner};

async fn sign(signer: &dyn UrlSigner, download: &Download) {
    let _ = signer.sign(download, &Method::GET, Duration::from_secs(5), SystemTime::now()).await;
}

fn main() {}
