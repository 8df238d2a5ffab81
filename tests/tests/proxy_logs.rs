//! What proxies write down: nginx's access log and the application's audit log, joined by the audit id, tokens of links, which
//! no log has, and Caddy's complaints.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::sync::{Arc, Mutex};

use axum::Router;
use secure_download::axum::download;
use secure_download::observe::JsonLines;
use secure_download::{
    AccelRedirect, Decision, Dialect, Download, FileKey, Gate, Mapping, ProxySecret, Root,
};
use system_tests::{Http1, ProxyServer, ProxySite, SECRET};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

#[derive(Clone, Default)]
struct Text(Arc<Mutex<Vec<u8>>>);

impl io::Write for Text {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("not poisoned").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn nginx_names_the_request_as_the_audit_log_does() {
    let catalog: HashMap<_, _> = ["file", "missing"]
        .map(|key| (key.to_owned(), Download::new(FileKey::parse(key).expect("a key"))))
        .into();
    let root = Root::new("/_protected/media", "/unused").expect("a root");
    let secret = ProxySecret::new(SECRET).expect("a secret");
    let accel = AccelRedirect::new(Dialect::Nginx, Mapping::new([root]).expect("a mapping"), secret);
    let text = Text::default();
    let audit = JsonLines::new(text.clone());
    let gate = Gate::builder(catalog)
        .authorizer(|(): &(), _: &Download| Decision::Allow)
        .strategy(accel.tell_audit_id())
        .subject_label(|(): &()| "alice".into())
        .observer(audit.clone())
        .build();
    let site = ProxySite::behind(ProxyServer::Nginx).file("file", b"the file");
    let site = site.routes(Router::new().route("/audited/{id}", download(gate)));
    let site = site.start().await;

    let mut client = Http1::connect(site.proxy()).await;
    // A line is written before the next request of the connection is read, so the last one may be missing.
    let requests = [
        ("/audited/file", "", 200),
        ("/audited/file", "Range: bytes=0-2", 206),
        ("/audited/missing", "", 404),
        ("/audited/unknown", "", 404),
        ("/audited/unknown", "", 404),
    ];
    for (target, field, status) in requests {
        let fields: Vec<String> = (!field.is_empty()).then(|| field.to_owned()).into_iter().collect();
        let answer = client.ask("GET", target, &fields).await;
        assert_eq!(answer.status, status, "{target}");
        assert_eq!(answer.field("x-secure-download-audit-id"), None, "{target}");
    }
    audit.flush();
    let audited = String::from_utf8(text.0.lock().expect("not poisoned").clone()).expect("UTF-8");
    let log = site.media().parent().expect("a folder").join("run/access.log");
    let log = fs::read_to_string(log).expect("a log");
    let mut seen = Vec::new();
    for ((target, _, status), line) in requests.into_iter().take(4).zip(log.lines()) {
        let (_, fields) = line.split_once(&format!("\"GET {target} HTTP/1.1\" ")).expect(line);
        let fields: Vec<_> = fields.split(' ').collect();
        let [logged, sent, completed, id] = fields[..] else { panic!("{line}") };
        assert_eq!((logged, completed), (status.to_string().as_str(), "OK"), "{line}");
        match status {
            200 => assert_eq!(sent, "8"),
            206 => assert_eq!(sent, "3"),
            _ => {}
        }
        if target.ends_with("unknown") {
            assert_eq!(id, "-", "nothing was handed off: {line}");
            continue;
        }
        let events: Vec<_> =
            audited.lines().filter(|event| event.contains(&format!("\"audit_id\":\"{id}\""))).collect();
        let [granted, delivered] = events[..] else { panic!("{id}: {audited}") };
        assert!(granted.contains("\"subject\":\"alice\""), "{granted}");
        assert!(delivered.contains("\"outcome\":\"handed-off\""), "{delivered}");
        seen.push(id.to_owned());
    }
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen.len(), 3, "each request has its own: {log}");
}

#[tokio::test]
async fn whoever_hangs_up_writes_no_proof_into_caddys_log() {
    let quiet = "exclude http.handlers.reverse_proxy";
    for (server, instead, shows) in [
        (ProxyServer::NewestCaddy, "exclude nothing", true),
        (ProxyServer::NewestCaddy, quiet, false),
        (ProxyServer::Caddy, quiet, false),
    ] {
        let large = Download::new(FileKey::parse("large").expect("a key"));
        let mut site = ProxySite::behind(server)
            .file("large", &vec![7; 32 << 20])
            .catalog([("large".to_owned(), large)].into())
            .broken(move |configuration| configuration.replace(quiet, instead))
            .start()
            .await;
        let mut client = TcpStream::connect(site.proxy()).await.expect("connected");
        client.write_all(b"GET /stream/large HTTP/1.1\r\nHost: a\r\n\r\n").await.expect("sent");
        let mut start = [0; 1024];
        client.read_exact(&mut start).await.expect("the start");
        drop(client);
        // Caddy ends what it is doing, and has written about it then.
        site.stop_proxy();
        let log = site.media().parent().expect("a folder").join("run/output.log");
        let log = fs::read_to_string(log).expect("a log");
        assert_eq!(log.contains(SECRET), shows, "{server:?}: {log}");
    }
}
