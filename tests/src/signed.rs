//! [`SignedStore`]: what every store has to do with signed URLs.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use http::Method;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt as _};
use secure_download::{Download, FileKey, Presign, UrlSigner};

use crate::{allow_everybody, fetch, grant, serve};

const MINUTE: Duration = Duration::from_secs(60);
const DISPOSITION: &str = "attachment; filename=\"u _.png\"; filename*=UTF-8''%C3%BC%20%22.png";

/// Keys that one layer or another likes to change.
pub const ODD_KEYS: [&str; 24] = [
    "a b",
    "a+b",
    "a%20b",
    "a%2Fb",
    "%2e%2e/x",
    "%",
    "a?b=c&d",
    "a#b",
    "a;b=c",
    "a:b@c",
    "a\"b'c`d",
    "a<b>c|d^e",
    "a{b}c[d]e",
    "a*b(c)d!e",
    "a$b,c=d~e",
    "ü/é/漢字/🙂",
    "e\u{301}",
    "...",
    "..a/b..",
    ".hidden/.x",
    "CON/nul.txt",
    " lead/ trail ",
    "a\u{a0}b\u{200b}c",
    "deep/er/and/deep/er/and/deep/er/still/file.tar.gz",
];

/// A real store: a way in, and the signer under test.
pub struct SignedStore {
    /// Puts objects.
    pub client: Arc<dyn ObjectStore>,
    /// Signs their URLs.
    pub signer: Arc<dyn UrlSigner>,
    /// Whether a URL that was signed for GET must not be good for HEAD.
    pub methods_apart: bool,
    /// Keys that the signer must decline.
    pub declined: &'static [&'static str],
}

impl SignedStore {
    /// Puts an object.
    ///
    /// # Panics
    /// If the store does not take it.
    pub async fn put(&self, key: &str, bytes: impl Into<bytes::Bytes>) {
        let path = Path::parse(key).expect("a path");
        self.client.put(&path, bytes.into().into()).await.expect("stored");
    }

    /// A URL for the object as a picture with a difficult name.
    ///
    /// # Panics
    /// If the signer declines.
    pub async fn url(&self, key: &str, method: Method, now: SystemTime) -> String {
        let grant = grant(&record(key)).await;
        let signed = self.signer.sign(&grant, &method, MINUTE, now).await;
        signed.unwrap_or_else(|error| panic!("{key}: {error:?}")).expose().to_owned()
    }

    /// A fresh URL gives exact bytes, name, type, cache policy and ranges, by itself and behind a gate.
    ///
    /// # Panics
    /// If not.
    pub async fn delivers(&self) {
        let bytes: Vec<u8> = (0..300_000_u32).map(|position| (position % 251) as u8).collect();
        self.put("a/picture", bytes.clone()).await;
        let now = SystemTime::now();
        let url = self.url("a/picture", Method::GET, now).await;
        let answer = fetch("GET", &url, &[]).await;
        assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
        assert!(answer.body == bytes);
        for (name, value) in [
            ("content-type", "image/png"),
            ("content-disposition", DISPOSITION),
            ("cache-control", "private, no-store"),
        ] {
            assert_eq!(answer.field(name), Some(value), "{name}");
        }
        let answer = fetch("GET", &url, &["range: bytes=299990-"]).await;
        assert_eq!((answer.status.as_u16(), answer.body.as_slice()), (206, &bytes[299_990..]));
        assert_eq!(answer.field("content-range"), Some("bytes 299990-299999/300000"));

        let answer = fetch("HEAD", &self.url("a/picture", Method::HEAD, now).await, &[]).await;
        assert_eq!((answer.status.as_u16(), answer.field("content-length")), (200, Some("300000")));

        let catalog = HashMap::from([("id".to_owned(), record("a/picture"))]);
        let address = serve(allow_everybody(catalog, Presign::new(Arc::clone(&self.signer)))).await;
        for method in ["GET", "HEAD"] {
            let redirect = fetch(method, &format!("http://{address}/id"), &[]).await;
            assert_eq!(redirect.status, 302);
            let followed = fetch(method, redirect.field("location").expect("a location"), &[]).await;
            assert_eq!(followed.status, 200, "{method}");
            assert!(method == "HEAD" || followed.body == bytes);
        }
    }

    /// Whatever is changed about a URL, it opens nothing; neither does an expired one, or none at all.
    ///
    /// # Panics
    /// If one does.
    pub async fn refuses(&self) {
        let secret = b"for the eyes of one".to_vec();
        self.put("b/secret", secret.clone()).await;
        self.put("b/other", secret.clone()).await;
        let now = SystemTime::now();
        let url = self.url("b/secret", Method::GET, now).await;
        let (path, query) = url.split_once('?').expect("a query");

        let mut changed = vec![
            ("another key", format!("{}?{query}", path.replace("b/secret", "b/other"))),
            ("no query", path.to_owned()),
            ("no path", format!("{}?{query}", path.replace("/b/secret", "/"))),
            ("an appended type", format!("{url}&response-content-type=text%2Fhtml&rsct=text%2Fhtml")),
            ("a leading type", format!("{path}?response-content-type=text%2Fhtml&rsct=text%2Fhtml&{query}")),
            ("another type", url.replace("image%2Fpng", "text%2Fhtml")),
            ("another name", url.replace("attachment", "inline")),
        ];
        // Letters and digits only: another notation of the same character is no change.
        for (at, byte) in
            url.bytes().enumerate().skip(path.len()).filter(|(_, byte)| byte.is_ascii_alphanumeric())
        {
            let mut bytes = url.clone().into_bytes();
            bytes[at] = if byte == b'8' { b'7' } else { b'8' };
            changed.push(("one character", String::from_utf8(bytes).expect("ASCII")));
        }
        for (what, changed) in changed {
            assert_ne!(changed, url, "{what}");
            let answer = fetch("GET", &changed, &[]).await;
            let shown = String::from_utf8_lossy(&answer.body);
            assert!(answer.status.as_u16() >= 400, "{what}: {} {changed} {shown}", answer.status);
            assert!(!contains(&answer.body, &secret), "{what}: {changed}");
        }

        for method in ["PUT", "DELETE", "POST"] {
            let answer = fetch(method, &url, &["content-length: 0"]).await;
            assert!(answer.status.is_client_error(), "{method}: {}", answer.status);
        }
        if self.methods_apart {
            assert_eq!(fetch("HEAD", &url, &[]).await.status, 403);
            let head = self.url("b/secret", Method::HEAD, now).await;
            assert_eq!(fetch("GET", &head, &[]).await.status, 403);
        }

        let expired = self.url("b/secret", Method::GET, now - MINUTE - Duration::from_secs(5)).await;
        let answer = fetch("GET", &expired, &[]).await;
        // Garage says 400, the others 403.
        assert!(answer.status.is_client_error(), "{}", answer.status);
        assert!(!contains(&answer.body, &secret));

        let answer = fetch("GET", &url, &[]).await;
        assert_eq!((answer.status.as_u16(), answer.body), (200, secret), "and it is still there");
    }

    /// Every key comes back byte for byte, or is declined.
    ///
    /// # Panics
    /// If not.
    pub async fn keeps_keys_apart(&self) {
        for key in ODD_KEYS {
            if self.declined.contains(&key) {
                let grant = grant(&record(key)).await;
                assert!(
                    self.signer.sign(&grant, &Method::GET, MINUTE, SystemTime::now()).await.is_err(),
                    "{key}"
                );
                continue;
            }
            self.put(key, key.as_bytes().to_vec()).await;
        }
        for key in ODD_KEYS.iter().filter(|key| !self.declined.contains(key)) {
            let answer = fetch("GET", &self.url(key, Method::GET, SystemTime::now()).await, &[]).await;
            let shown = String::from_utf8_lossy(&answer.body);
            assert_eq!((answer.status.as_u16(), shown.as_ref()), (200, *key));
        }
    }
}

impl std::fmt::Debug for SignedStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.signer.name())
    }
}

fn record(key: &str) -> Download {
    let key = FileKey::parse(key).expect("a key");
    Download::new(key).filename("ü \".png").content_type("image/png")
}

fn contains(text: &[u8], what: &[u8]) -> bool {
    text.windows(what.len()).any(|window| window == what)
}
