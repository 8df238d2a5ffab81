//! The application as its own store: signed by one gate, served by another.

#![cfg(feature = "local")]

mod support;

use std::time::{Duration, SystemTime};

use base64ct::{Base64UrlUnpadded, Encoding as _};
use hmac::{Hmac, KeyInit as _, Mac as _};
use http::{Method, Response};
use secure_download_core::{
    Body, CachePolicy, ContentPolicy, Download, Gate, RequestHead, SignError, Terms, UrlSigner,
};
use secure_download_presign::{LocalClaims, LocalKey, LocalKeyError, LocalSigner, Presign};
use secure_download_stream::Stream;
use sha2::Sha256;
use support::{block_on, file, gate, grant, head};

fn key(seed: u8) -> LocalKey {
    let secret: Vec<u8> = (seed..seed + 32).collect();
    LocalKey::new(&secret).expect("long enough")
}

/// A folder with one file, and the gate that serves it to whoever holds a URL.
fn blobs(signer: &LocalSigner) -> (tempfile::TempDir, Gate<(), LocalClaims>) {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::create_dir(folder.path().join("a")).expect("a folder");
    std::fs::write(folder.path().join("a/ü b"), b"0123456789").expect("written");
    let stream = Stream::local(folder.path()).expect("a folder");
    let policy = ContentPolicy::new().inline_pdf();
    let gate = Gate::builder(signer.clone()).authorizer(signer.clone()).strategy(stream);
    (folder, gate.content_policy(policy).build())
}

async fn ask(gate: &Gate<(), LocalClaims>, token: &str, head: &RequestHead) -> (u16, Vec<u8>, Response<()>) {
    let (parts, mut body) = gate.serve(&(), token, head).await.into_parts();
    let mut bytes = Vec::new();
    while let Some(chunk) = std::future::poll_fn(|cx| body.poll_chunk(cx)).await {
        bytes.extend_from_slice(&chunk.expect("whole"));
    }
    (parts.status.as_u16(), bytes, Response::from_parts(parts, ()))
}

fn token(response: &Response<Body>) -> String {
    assert_eq!(response.status(), 302);
    let location = response.headers()["location"].to_str().expect("ASCII");
    location.strip_prefix("/blobs/").expect("the app's own route").to_owned()
}

#[tokio::test]
async fn the_url_delivers_exactly_the_granted_file_as_planned() {
    let signer = LocalSigner::new("/blobs", key(1));
    let (_folder, blobs) = blobs(&signer);
    let record = || file("a/ü b").filename("Röntgen.pdf").content_type("application/pdf");
    let cached = record().cache(CachePolicy::Private { max_age: Duration::from_secs(60) });
    for record in [record(), record().inline(), cached] {
        let planned = grant(record.clone());
        let files = gate(record, Terms::new(), Presign::new(signer.clone()));
        let redirect = files.serve(&(), "known", &head(&Method::GET, &[])).await;
        let token = token(&redirect);
        let (status, bytes, answer) = ask(&blobs, &token, &head(&Method::GET, &[])).await;
        assert_eq!((status, bytes.as_slice()), (200, &b"0123456789"[..]));
        for name in ["content-type", "content-disposition", "cache-control", "x-content-type-options"] {
            assert_eq!(answer.headers().get(name), planned.plan().headers().get(name), "{name}");
        }
        let (status, bytes, _) = ask(&blobs, &token, &head(&Method::GET, &[("range", "bytes=3-5")])).await;
        assert_eq!((status, bytes.as_slice()), (206, &b"345"[..]));
        let (status, bytes, answer) = ask(&blobs, &token, &head(&Method::HEAD, &[])).await;
        assert_eq!(
            (status, bytes.len(), &answer.headers()["content-length"]),
            (200, 0, &"10".parse().expect("ok"))
        );
    }
}

#[tokio::test]
async fn an_expired_or_changed_url_is_refused() {
    let signer = LocalSigner::new("/blobs/", key(1));
    let (_folder, blobs) = blobs(&signer);
    let signed = async |ago: u64| {
        let at = SystemTime::now() - Duration::from_secs(ago);
        let url = signer.sign(&grant(file("a/ü b")), &Method::GET, Duration::from_secs(60), at).await;
        url.expect("signed").expose().strip_prefix("/blobs/").expect("the base").to_owned()
    };
    let get = head(&Method::GET, &[]);
    let fresh = signed(0).await;
    assert_eq!(ask(&blobs, &fresh, &get).await.0, 200);
    assert_eq!(ask(&blobs, &signed(61).await, &get).await.0, 403);
    for at in 0..fresh.len() {
        let mut changed = fresh.clone().into_bytes();
        changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
        let changed = String::from_utf8(changed).expect("ASCII");
        assert_eq!(ask(&blobs, &changed, &get).await.0, 404, "changed at {at}");
    }
    for end in 0..fresh.len() {
        assert!(signer.verify(&fresh[..end]).is_none(), "cut at {end}");
    }
    for other in
        [format!("{fresh}A"), format!("{fresh}="), "x".repeat(100_000), String::new(), "ü".to_owned()]
    {
        assert!(signer.verify(&other).is_none());
    }
}

#[test]
fn keys_rotate() {
    let sign = |signer: &LocalSigner| {
        let url =
            block_on(signer.sign(&grant(file("a")), &Method::GET, Duration::from_secs(5), support::now()));
        url.expect("signed").expose().strip_prefix("/blobs/").expect("the base").to_owned()
    };
    let old = LocalSigner::new("/blobs/", key(1));
    let new = LocalSigner::with_retired("/blobs/", key(2), [key(1)]);
    let alone = LocalSigner::new("/blobs/", key(2));
    let (by_old, by_new) = (sign(&old), sign(&new));
    assert!(
        old.verify(&by_old).is_some() && new.verify(&by_old).is_some() && alone.verify(&by_old).is_none()
    );
    assert!(
        old.verify(&by_new).is_none() && new.verify(&by_new).is_some() && alone.verify(&by_new).is_some()
    );
}

#[test]
fn a_token_is_good_for_its_own_base_alone() {
    let sign = |signer: &LocalSigner| {
        let url =
            block_on(signer.sign(&grant(file("a")), &Method::GET, Duration::from_secs(5), support::now()));
        let url = url.expect("signed").expose().to_owned();
        url.rsplit_once('/').expect("a token at the end").1.to_owned()
    };
    let bases =
        ["/thumbs/", "/originals/", "https://files.example/thumbs/", "https://staging.example/thumbs/"];
    for base in bases {
        let token = sign(&LocalSigner::new(base, key(1)));
        for other in bases {
            let signer = LocalSigner::new(other, key(1));
            assert_eq!(signer.verify(&token).is_some(), base == other, "of {base} at {other}");
            let rotated = LocalSigner::with_retired(other, key(2), [key(1)]);
            assert_eq!(rotated.verify(&token).is_some(), base == other, "of {base} at {other}, rotated");
        }
        let unfinished = LocalSigner::new(base.trim_end_matches('/'), key(1));
        assert!(unfinished.verify(&token).is_some(), "the `/` at the end of {base} goes without saying");
    }
}

#[test]
fn weak_keys_and_what_a_folder_has_not_are_refused() {
    for weak in [&b""[..], b"secret", &[7; 31], &[0; 32], &[255; 64]] {
        assert_eq!(LocalKey::new(weak).err(), Some(LocalKeyError));
    }
    let signer = LocalSigner::new("/blobs/", key(1));
    let sign = |record: Download| {
        block_on(signer.sign(&grant(record), &Method::GET, Duration::from_secs(5), support::now())).err()
    };
    assert!(matches!(sign(file("a").version("1")), Some(SignError::Inexpressible(_))));
    assert!(matches!(sign(file("a").volume("v".repeat(70_000))), Some(SignError::Inexpressible(_))));
    assert!(matches!(sign(file("a").volume("v".repeat(7_000))), Some(SignError::Inexpressible(_))));
    assert!(
        sign(file("a").filename("n".repeat(100_000))).is_none(),
        "a name is cut to what systems can save"
    );
    assert!(!format!("{:?} {signer:?}", key(1)).contains("mac"));
}

#[tokio::test]
async fn what_the_application_signs_otherwise_with_the_same_secret_opens_nothing() {
    let secret: Vec<u8> = (1..33).collect();
    let signer = LocalSigner::new("/blobs", LocalKey::new(&secret).expect("long enough"));
    let (_folder, blobs) = blobs(&signer);
    let files = gate(file("a/ü b"), Terms::new(), Presign::new(signer.clone()));
    let token = token(&files.serve(&(), "known", &head(&Method::GET, &[])).await);
    assert_eq!(ask(&blobs, &token, &head(&Method::GET, &[])).await.0, 200);
    let mut bytes = Base64UrlUnpadded::decode_vec(&token).expect("base64");
    let claims = bytes.len() - 32;
    let mut mac = Hmac::<Sha256>::new_from_slice(&secret).expect("any length");
    mac.update(&bytes[..claims]);
    bytes[claims..].copy_from_slice(&mac.finalize().into_bytes());
    let forged = Base64UrlUnpadded::encode_string(&bytes);
    assert_eq!(forged.len(), token.len());
    assert_eq!(ask(&blobs, &forged, &head(&Method::GET, &[])).await.0, 404);
}
