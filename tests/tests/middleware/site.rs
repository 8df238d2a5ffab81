//! The gates that both applications serve, and what a client checks of them through the middleware around.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::num::NonZeroU64;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use http::{Method, Response, StatusCode};
use secure_download::links::{LinkKey, LinkSigner, Links, MemoryLinkStore, NewLink};
use secure_download::{
    AccelRedirect, Body, BoxError, Catalog, Concurrency, Decision, DeliveryStrategy, Dialect, Download,
    FileKey, Gate, Grant, Guard, Mapping, Presign, ProxySecret, Root, SignError, SignedUrl, Stream,
    UrlSigner,
};
use system_tests::{Answer, Http1};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// No log may hold any of these.
pub(crate) const PROOF: &str = "0123456789abcdef-the-proof-of-proxy";
pub(crate) const SIGNATURE: &str = "the-signature-of-the-url";
pub(crate) const SESSION: &str = "the-session-cookie";
const INTERNAL: &str = "/_protected/media";

/// A head is answered sooner than this, and the slow file takes longer.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(2);
const SLOW_LENGTH: usize = 3 << 20;
const SLOW_RATE: u64 = 1 << 20;

/// Everything to serve. Every clone serves the same.
#[derive(Clone)]
pub(crate) struct Site {
    pub(crate) streamed: Gate<(), Download>,
    pub(crate) handed_off: Gate<(), Download>,
    pub(crate) redirected: Gate<(), Download>,
    pub(crate) guard: Guard,
    links: Links,
    _media: Arc<TempDir>,
}

/// Finds files by name, and never an answer for `stuck`.
struct Files(HashMap<String, Download>);

#[async_trait]
impl Catalog for Files {
    type Record = Download;

    async fn find(&self, id: &str) -> Result<Option<Download>, BoxError> {
        if id == "stuck" {
            std::future::pending::<()>().await;
        }
        Ok(self.0.get(id).cloned())
    }
}

struct Signer;

#[async_trait]
impl UrlSigner for Signer {
    fn name(&self) -> &'static str {
        "signer"
    }

    async fn sign(
        &self,
        _: &Grant,
        _: &Method,
        life: Duration,
        now: SystemTime,
    ) -> Result<SignedUrl, SignError> {
        Ok(SignedUrl::new(format!("https://bucket.example/file?signature={SIGNATURE}"), now + life))
    }
}

/// Text that compresses well.
pub(crate) fn text() -> String {
    (0..20_000).map(|line| format!("line {line}\n")).collect()
}

/// What `gzip` makes of nothing. Compressed once more it would be longer.
const GZIP: &[u8] = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\x03\x00\x00\x00\x00\x00\x00\x00\x00\x00";

impl Site {
    pub(crate) fn new() -> Self {
        let media = Arc::new(tempfile::tempdir().expect("a folder"));
        let long_ago = SystemTime::now() - Duration::from_secs(3600);
        let mut files = HashMap::new();
        for (name, content, rate) in [
            ("text.txt", text().into_bytes(), None),
            ("packed.gz", GZIP.to_vec(), None),
            ("slow.txt", vec![b'x'; SLOW_LENGTH], NonZeroU64::new(SLOW_RATE)),
        ] {
            let path = media.path().join(name);
            std::fs::write(&path, content).expect("written");
            // Old enough for a strong entity tag of length and date.
            std::fs::File::options()
                .write(true)
                .open(path)
                .and_then(|file| file.set_modified(long_ago))
                .expect("set");
            let key = FileKey::parse(name).expect("a key");
            let download = Download::new(key).filename(name).content_type("text/plain");
            let download = rate.map_or(download.clone(), |rate| download.rate(rate));
            files.insert(name.to_owned(), download);
        }
        let gate = |strategy: Arc<dyn DeliveryStrategy>| {
            Gate::builder(Files(files.clone()))
                .authorizer(|(): &(), _: &Download| Decision::Allow)
                .strategy(strategy)
                .concurrency(Concurrency::new(1))
                .build()
        };
        let mapping = Mapping::new([Root::new(INTERNAL, media.path()).expect("a root")]).expect("a mapping");
        let secret = ProxySecret::new(PROOF).expect("a secret");
        let accel = AccelRedirect::new(Dialect::Nginx, mapping, secret);
        let signer = LinkSigner::new(
            "files.example",
            &LinkKey::new(1, "0123456789abcdef0123456789abcdef").expect("a key"),
        );
        Self {
            streamed: gate(Arc::new(Stream::local(media.path()).expect("a folder").replicated())),
            guard: accel.guard(),
            handed_off: gate(Arc::new(accel)),
            redirected: gate(Arc::new(Presign::new(Signer))),
            links: Links::new(signer, MemoryLinkStore::new(10)),
            _media: media,
        }
    }

    /// Makes a link and redeems it.
    pub(crate) async fn redeem(&self) -> Response<Body> {
        let link = NewLink::expiring("text.txt", Duration::from_secs(60));
        let token = self.links.mint(link).await.expect("a token");
        let redeemed = self.links.redeem(&token).await.expect("a store").expect("a good link");
        redeemed.into_response(&format!("/d/{token}/file"), false)
    }
}

async fn ask(address: SocketAddr, method: &str, target: &str, fields: &[&str]) -> Answer {
    let fields: Vec<_> = fields.iter().map(|&field| field.to_owned()).collect();
    Http1::connect(address).await.ask(method, target, &fields).await
}

const GZIP_WANTED: &str = "Accept-Encoding: gzip";

/// Behind a compression that leaves downloads alone.
pub(crate) async fn check_compression(address: SocketAddr) {
    let mut stream = TcpStream::connect(address).await.expect("connected");
    let request = format!("GET /page HTTP/1.1\r\nHost: test\r\n{GZIP_WANTED}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.expect("sent");
    let mut page = Vec::new();
    stream.read_to_end(&mut page).await.expect("a page");
    let head = String::from_utf8_lossy(&page[..page.len().min(1000)]).to_lowercase();
    assert_eq!(head.matches("\r\ncontent-encoding: gzip\r\n").count(), 1, "pages are compressed: {head}");

    let text = text();
    let whole = ask(address, "GET", "/files/text.txt", &[GZIP_WANTED]).await;
    assert_eq!((whole.status, whole.body == text.as_bytes()), (StatusCode::OK, true));
    assert_eq!(whole.field("content-encoding"), None);
    assert_eq!(whole.field("accept-ranges"), Some("bytes"));
    let etag = whole.field("etag").expect("an entity tag");
    assert!(etag.starts_with('"'), "strong: {etag}");
    let packed = ask(address, "GET", "/files/packed.gz", &[GZIP_WANTED]).await;
    assert_eq!((packed.field("content-encoding"), &packed.body[..]), (None, GZIP));
    let if_range = format!("If-Range: {etag}");
    let part =
        ask(address, "GET", "/files/text.txt", &[GZIP_WANTED, "Range: bytes=100-199", &if_range]).await;
    assert_eq!((part.status, &part.body[..]), (StatusCode::PARTIAL_CONTENT, &text.as_bytes()[100..200]));
    assert_eq!((part.field("etag"), part.field("content-encoding")), (Some(etag), None));
    let parts = ask(address, "GET", "/files/text.txt", &[GZIP_WANTED, "Range: bytes=0-9,10000-10009"]).await;
    let parts = parts.byteranges();
    assert_eq!(parts[1].2, text.as_bytes()[10_000..10_010]);
    let unchanged =
        ask(address, "GET", "/files/text.txt", &[GZIP_WANTED, &format!("If-None-Match: {etag}")]).await;
    assert_eq!((unchanged.status, unchanged.field("etag")), (StatusCode::NOT_MODIFIED, Some(etag)));
    let head = ask(address, "HEAD", "/files/text.txt", &[GZIP_WANTED]).await;
    assert_eq!(
        (head.field("content-length"), head.field("etag")),
        (whole.field("content-length"), Some(etag))
    );
    assert_eq!(head.field("content-encoding"), None);
}

/// Behind a CORS middleware that allows this origin.
pub(crate) const ORIGIN: &str = "https://app.example";

pub(crate) async fn check_cors(address: SocketAddr) {
    let origin = format!("Origin: {ORIGIN}");
    let fields =
        [origin.as_str(), "Access-Control-Request-Method: GET", "Access-Control-Request-Headers: range"];
    let preflight = ask(address, "OPTIONS", "/files/text.txt", &fields).await;
    assert_eq!(preflight.status, StatusCode::OK);
    assert_eq!(preflight.field("access-control-allow-origin"), Some(ORIGIN));
    let part = ask(address, "GET", "/files/text.txt", &[&origin, "Range: bytes=0-5"]).await;
    assert_eq!((part.status, &part.body[..]), (StatusCode::PARTIAL_CONTENT, &b"line 0"[..]));
    assert_eq!(part.field("access-control-allow-origin"), Some(ORIGIN));
    assert!(part.field("etag").is_some_and(|etag| etag.starts_with('"')));
    let exposed = part.field("access-control-expose-headers").expect("exposed").to_ascii_lowercase();
    for name in ["content-range", "etag"] {
        assert!(exposed.contains(name), "{exposed}");
    }
}

/// Behind a middleware that gives up after [`TIMEOUT`].
pub(crate) async fn check_timeout(address: SocketAddr) {
    let stuck = ask(address, "GET", "/files/stuck", &[]).await;
    assert_eq!(stuck.status, StatusCode::REQUEST_TIMEOUT);
    // The time for the answer is not the time for the file.
    let slow = ask(address, "GET", "/files/slow.txt", &[]).await;
    assert_eq!((slow.status, slow.body.len()), (StatusCode::OK, SLOW_LENGTH));
    let text = ask(address, "GET", "/files/text.txt", &[]).await;
    assert_eq!(text.status, StatusCode::OK, "the place of the slow one is free again");
}

/// What was logged.
#[derive(Clone, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    pub(crate) fn add(&self, bytes: &[u8]) {
        self.0.lock().expect("not poisoned").extend_from_slice(bytes);
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().expect("not poisoned")).into_owned()
    }
}

/// Behind a middleware that logs every request and answer.
pub(crate) async fn check_log(address: SocketAddr, log: &Log) {
    let proof = format!("X-Secure-Download-Proof: {PROOF}");
    let cookie = format!("Cookie: session={SESSION}");
    let handed_off = ask(address, "GET", "/handed-off/text.txt", &[&proof, &cookie]).await;
    let location = handed_off.field("x-accel-redirect").expect("a hand-off").to_owned();
    assert!(location.starts_with(INTERNAL), "{location}");
    let redirected = ask(address, "GET", "/redirected/text.txt", &[&cookie]).await;
    assert!(redirected.field("location").is_some_and(|url| url.contains(SIGNATURE)));
    let redeemed = ask(address, "POST", "/redeem", &["Content-Length: 0", &cookie]).await;
    let token = redeemed.field("location").expect("where the file is").to_owned();
    let lease = redeemed.field("set-cookie").and_then(|cookie| cookie.split(['=', ';']).nth(1));
    let lease = lease.expect("a lease").to_owned();

    let log = log.text();
    for logged in ["/handed-off/text.txt", "/redirected/text.txt", "/redeem"] {
        assert!(log.contains(logged), "{log}");
    }
    for secret in [PROOF, SIGNATURE, SESSION, INTERNAL, &token, &lease] {
        assert!(!log.contains(secret), "{secret} in {log}");
    }
}

/// The files below `/base` stand behind an interstitial page, those below `/` do not.
pub(crate) async fn check_interstitial(address: SocketAddr) {
    let mut client = Http1::connect(address).await;
    let fields = |site: &str, mode: &str, dest: &str| {
        ["Site", "Mode", "Dest"].map(|name| {
            format!(
                "Sec-Fetch-{name}: {}",
                match name {
                    "Site" => site,
                    "Mode" => mode,
                    _ => dest,
                }
            )
        })
    };
    let mut pages = Vec::new();
    // The look-up of `stuck` never ends: the page comes before it.
    for target in ["text.txt", "text.txt?inline=1&a=%22%3E%3Cscript%3E", "none", "stuck", "packed.gz"] {
        for dest in ["document", "iframe", "frame", "embed", "object"] {
            for visitor in ["Cookie: a=b", "Cookie: session=alice", "Range: bytes=0-0"] {
                let mut fields = fields("cross-site", "navigate", dest).to_vec();
                fields.push(visitor.to_owned());
                let page = client.ask("GET", &format!("/base/files/{target}"), &fields).await;
                let mut headers: Vec<_> = page.headers.iter().filter(|(name, _)| *name != "date").collect();
                headers.sort_unstable_by_key(|(name, _)| name.as_str());
                pages.push(format!("{} {headers:?} {}", page.status, String::from_utf8_lossy(&page.body)));
            }
        }
    }
    assert!(pages.iter().all(|page| *page == pages[0]), "the same for every id and visitor");
    for part in
        ["200 OK", "<a href=\"\">", "no-store", "Sec-Fetch-Site, Sec-Fetch-Mode", "default-src 'none'"]
    {
        assert!(pages[0].contains(part), "{part}: {}", pages[0]);
    }
    assert!(!pages[0].contains("script"), "{}", pages[0]);
    let navigation = fields("cross-site", "navigate", "document");
    let head = client.ask("HEAD", "/base/files/none", &navigation).await;
    assert_eq!((head.status, head.body.len()), (StatusCode::OK, 0));
    assert_eq!(head.field("content-type"), Some("text/html; charset=utf-8"));
    for passing in [
        fields("same-origin", "navigate", "document").to_vec(),
        fields("same-site", "navigate", "document").to_vec(),
        fields("none", "navigate", "document").to_vec(),
        fields("cross-site", "no-cors", "image").to_vec(),
        Vec::new(),
    ] {
        let answer = client.ask("GET", "/base/files/text.txt", &passing).await;
        assert_eq!((answer.status, answer.body == text().as_bytes()), (StatusCode::OK, true), "{passing:?}");
        let varies =
            answer.headers.get_all("vary").iter().any(|line| line == "Sec-Fetch-Site, Sec-Fetch-Mode");
        assert!(varies, "a cache gives it to no other site: {passing:?}");
        let refused = client.ask("GET", "/base/files/none", &passing).await;
        assert_eq!(refused.status, StatusCode::NOT_FOUND, "{passing:?}");
    }
    let unguarded = client.ask("GET", "/files/text.txt", &navigation).await;
    assert!(unguarded.field("content-disposition").is_some(), "a download begins without the page");
}
