//! What proxies write down: nginx's access log and the application's audit log, joined by the audit id, tokens of links, which
//! no log has, and Caddy's complaints.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::{Arc, Mutex};

use axum::Router;
use secure_download::axum::download;
use secure_download::observe::JsonLines;
use secure_download::{
    AccelRedirect, Decision, Dialect, Download, FileKey, Gate, Mapping, ProxyConfig, ProxySecret, Root,
};
use system_tests::{Http1, ProxyServer, ProxySite, SECRET, serve_router, start_sites};
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

/// As long as the tokens of links are, with parts that look like other things.
const TOKEN: &str = "AQAAAAFPq-TrSOMwBrP6j7K6W_AbCdEf0123456789.css-AbCdEfGhIjKlMnOpQrStUvWxYz";

/// Requests that servers refuse before they know the site or the path. Each ends its connection.
const MALFORMED: [&str; 7] = [
    "GET /d/TOKEN HTTP/1.1\r\nConnection: close\r\n\r\n",
    "GET /d/TOKEN HTTP/1.1\r\nHost: a\r\nno colon\r\nConnection: close\r\n\r\n",
    "GET /d/TOKEN HTTP/1.1\r\nHost: a\r\nHost: b\r\nConnection: close\r\n\r\n",
    "GET /d/TOKEN HTTP/9.9\r\nHost: a\r\nConnection: close\r\n\r\n",
    "GET /d/TOKEN /d/TOKEN HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
    "GET http://a b/d/TOKEN HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
    "POST /d/TOKEN HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n0\r\n\r\n",
];

/// Whole configurations, which have a log, and sites within a server that logs by itself.
#[tokio::test]
async fn tokens_of_links_are_in_no_log() {
    for server in ProxyServer::ALL {
        let folder = tempfile::tempdir().expect("a folder");
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).expect("permissions");
        let root = Root::new("/_protected/media", folder.path().join("media")).expect("a root");
        let mapping = Mapping::new([root]).expect("a mapping");
        let secret = ProxySecret::new(SECRET).expect("a secret");
        let app = serve_router(Router::new().fallback(|| async { "answered" })).await;
        for layout in ["standalone", "site", "logged-site"] {
            let here = folder.path().join(layout);
            fs::create_dir(&here).expect("a folder");
            let site = |listen| ProxyConfig::new(server.dialect(), &mapping, &secret).listen(listen).app(app);
            let running = match layout {
                "standalone" => server.start(&here, |listen| {
                    site(listen).standalone(&here).expect("a plain name").run_as("www-data").render()
                }),
                "site" => start_sites(server, &here, |listen| vec![site(listen)]),
                _ => start_sites(server, &here, |listen| {
                    vec![site(listen).access_log(here.join("requests.log")).expect("a plain name")]
                }),
            };
            let escaped = TOKEN.replace('-', "%2D").replace('A', "%41");
            let targets = [
                format!("/d/{TOKEN}"),
                format!("/d/{TOKEN}/style.css?v=1"),
                format!("/d/{escaped}"),
                format!("/deep/er/d/{TOKEN}"),
                format!("/signed?token={TOKEN}"),
                format!("//d//{TOKEN}"),
                "/plain/page".to_owned(),
            ];
            for target in targets {
                for method in ["GET", "POST"] {
                    let referer = format!("Referer: http://localhost/d/{TOKEN}");
                    let fields = [referer, format!("Cookie: lease={TOKEN}"), "Content-Length: 0".to_owned()];
                    Http1::connect(running.address()).await.ask(method, &target, &fields).await;
                }
            }
            for malformed in MALFORMED {
                let mut client = TcpStream::connect(running.address()).await.expect("connected");
                client.write_all(malformed.replace("TOKEN", TOKEN).as_bytes()).await.expect("sent");
                // A refusal, after which servers reset or close the connection.
                let _ = client.read_to_end(&mut Vec::new()).await;
            }
            // A server writes what it has left when it ends.
            drop(running);
            let mut logged = String::new();
            for entry in fs::read_dir(&here).expect("a folder").map(|entry| entry.expect("an entry").path()) {
                if entry.extension().is_none_or(|ending| ending != "log") {
                    continue;
                }
                let text = String::from_utf8_lossy(&fs::read(&entry).expect("a file")).into_owned();
                for part in [&TOKEN[..8], "%41Q%41", "token=", SECRET] {
                    assert!(
                        !text.contains(part),
                        "{server:?} {layout}: {part} is in {}: {text}",
                        entry.display()
                    );
                }
                logged.push_str(&text);
            }
            // But what else was asked for is.
            assert_eq!(logged.contains("/plain/page"), layout != "site", "{server:?} {layout}: {logged}");
            assert_eq!(logged.contains("cut]"), layout != "site", "{server:?} {layout}: {logged}");
        }
    }
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
            .broken(move |configuration| match shows {
                true => configuration.replace(quiet, instead).replace("request>headers delete", ""),
                false => configuration,
            })
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
