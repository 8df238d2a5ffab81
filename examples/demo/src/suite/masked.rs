//! What `--mask` hides.

use http::StatusCode;

use super::links::{make, redeem};
use super::{Demo, Upload, Visitor};

pub(super) async fn check(demo: &Demo) {
    let mut alice = Visitor::signed_in(demo.address(), "alice").await;
    let content: Vec<u8> = (0..100_000_u32).flat_map(u32::to_le_bytes).collect();
    let id = alice.upload(Upload { name: "\u{fc} 1.bin", content: &content }).await;

    // One use is one use: nobody but the proxy holds the URL.
    let link = make(&mut alice, &id, "1", "60").await;
    let mut friend = Visitor::anonymous(demo.address());
    let file = redeem(&mut friend, &link).await;
    let once = friend.get(&file).await;
    assert!(once.status == StatusCode::OK && once.body == content, "{}", once.status);
    assert_eq!(Visitor::anonymous(demo.address()).post(&link, &[]).await.status, StatusCode::NOT_FOUND);

    let whole = alice.get(&format!("/files/{id}")).await;
    assert!(whole.status == StatusCode::OK && whole.body == content, "{}", whole.status);
    let several = alice.ask("GET", &format!("/files/{id}"), &["Range: bytes=0-1,3-4"]).await;
    assert!(several.status == StatusCode::OK && several.body == content, "{}", several.status);
    let shown = format!("{:?}{:?}", once.headers, whole.headers).to_ascii_lowercase();
    for secret in ["x-amz", "location", "s3", "media", "signature"] {
        assert!(!shown.contains(secret), "{secret}: {shown}");
    }
    for secret in ["X-Amz-", "Signature"] {
        assert!(!demo.log().contains(secret), "{}", demo.log());
    }
}
