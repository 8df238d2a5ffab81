//! Links that nginx checks by itself: real nginx, a real browser, and the doctor.

use std::collections::HashMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use axum::Router;
use axum::response::Html;
use axum::routing::{any, get, post};
use http::Method;
use secure_download::axum::download;
use secure_download::doctor::{DOCTOR_PATH, Doctor, DoctorToken, write_canaries};
use secure_download::{Download, FileKey, Presign, SecureLink, SecureLinkSecret, UrlSigner as _};
use secure_download_cli::Examination;
use system_tests::{
    Answer, DOCTOR_TOKEN, Http1, ProxyServer, Running, allow_everybody, grant, program, serve_router,
};
use tokio::sync::mpsc;

const SECRET: &str = "0123456789abcdef0123456789abcdef";
const HTML: &[u8] = b"<!doctype html><script>fetch('/ran', { method: 'POST' })</script>";

/// nginx with the rendered location, and an application behind the rest of the paths.
struct Site {
    nginx: Running,
    signer: SecureLink,
    port: u16,
    media: PathBuf,
    _folder: tempfile::TempDir,
}

/// The links' own site is known before it listens: its port is nginx's.
fn signer(port: u16, secret: &str) -> SecureLink {
    let secret = SecureLinkSecret::new(secret).expect("a secret");
    SecureLink::new(&format!("http://localhost:{port}"), "/dl", secret).expect("a site")
}

async fn start(app: impl FnOnce(u16) -> Router) -> Site {
    let folder = tempfile::tempdir().expect("a folder");
    // The server's workers are not root.
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).expect("permissions");
    let media = folder.path().join("media");
    fs::create_dir_all(media.join("ü b+c%")).expect("a folder");
    for name in ["plain.txt", "ü b+c%/50 +.txt", "page.html", "other.txt"] {
        let content = if name == "page.html" { HTML } else { b"0123456789" };
        fs::write(media.join(name), content).expect("written");
    }
    fs::write(folder.path().join("outside"), "outside").expect("written");
    symlink(folder.path().join("outside"), media.join("link")).expect("linked");
    // The application needs the port of the links, and nginx that of the application.
    let port = std::net::TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("one").port();
    let app = serve_router(app(port)).await;
    let run = folder.path().join("run");
    fs::create_dir(&run).expect("a folder");
    let location = signer(port, SECRET).nginx_location(media.to_str().expect("UTF-8")).expect("a folder");
    let nginx = ProxyServer::Nginx.start(&run, |listen| {
        let run = run.display();
        format!(
            "daemon off; pid {run}/pid; error_log {run}/error.log; events {{}}\n\
             http {{ access_log {run}/access.log; include /etc/nginx/mime.types;\n\
             server {{ listen {listen}; listen 127.0.0.1:{port}; gzip on; gzip_types text/plain;\n\
             {location} location / {{ proxy_pass http://{app}; }} }} }}\n"
        )
    });
    Site { nginx, signer: signer(port, SECRET), port, media, _folder: folder }
}

impl Site {
    async fn sign(&self, key: &str, lifetime: u64, now: SystemTime) -> String {
        let download = Download::new(FileKey::parse(key).expect("a key"));
        let lifetime = Duration::from_secs(lifetime);
        let signed = self.signer.sign(&grant(&download).await, &Method::GET, lifetime, now).await;
        let url = signed.expect("signed").expose().to_owned();
        url[url.find("/dl/").expect("the path")..].to_owned()
    }

    async fn ask(&self, method: &str, target: &str, headers: &[&str]) -> Answer {
        let headers: Vec<_> = headers.iter().map(|&line| line.to_owned()).collect();
        Http1::connect(self.nginx.address()).await.ask(method, target, &headers).await
    }
}

#[tokio::test]
async fn nginx_honours_a_link_until_it_ends() {
    let site = start(|_| Router::new()).await;
    let now = SystemTime::now();
    for key in ["plain.txt", "ü b+c%/50 +.txt", "page.html"] {
        let link = site.sign(key, 60, now).await;
        let answer = site.ask("GET", &link, &["Accept-Encoding: gzip"]).await;
        assert_eq!(answer.status, 200, "{link}");
        assert_eq!(answer.body, if key == "page.html" { HTML } else { b"0123456789" }, "{link}");
        for (name, value) in [
            ("content-type", "application/octet-stream"),
            ("content-disposition", "attachment"),
            ("x-content-type-options", "nosniff"),
            ("cache-control", "private, no-store"),
            ("cdn-cache-control", "no-store"),
            ("referrer-policy", "no-referrer"),
            ("cross-origin-resource-policy", "same-origin"),
            (
                "content-security-policy",
                "sandbox; default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'",
            ),
        ] {
            let values: Vec<_> = answer.headers.get_all(name).iter().collect();
            assert_eq!(values, [value], "{key}: {name}");
        }
        assert!(!answer.headers.contains_key("content-encoding"), "{key}");
        let part = site.ask("GET", &link, &["Range: bytes=2-4"]).await;
        assert_eq!((part.status.as_u16(), part.body.len()), (206, 3), "{key}");
        assert_eq!(site.ask("HEAD", &link, &[]).await.status, 200, "{key}");
        assert_eq!(site.ask("POST", &link, &[]).await.status, 405, "{key}");
    }
    // Ended, in its last second, and signed for an hour ago.
    let ended = site.sign("plain.txt", 60, now - Duration::from_secs(61)).await;
    assert_eq!(site.ask("GET", &ended, &[]).await.status, 410);
    let ended = site.sign("plain.txt", 60, now - Duration::from_secs(3600)).await;
    assert_eq!(site.ask("GET", &ended, &[]).await.status, 410);
    let log = fs::read_to_string(site.media.with_file_name("run").join("access.log")).expect("a log");
    assert!(!log.contains("md5="), "{log}");
}

#[tokio::test]
async fn nginx_refuses_what_was_not_signed() {
    let site = start(|_| Router::new()).await;
    let now = SystemTime::now();
    let link = site.sign("plain.txt", 60, now).await;
    let (path, query) = link.split_once('?').expect("a query");
    let (md5, expires) = query.split_once('&').expect("two parameters");
    let later = format!("expires={}", expires["expires=".len()..].parse::<u64>().expect("seconds") + 1);
    for target in [
        path.to_owned(),
        format!("{path}?{md5}"),
        format!("{path}?{expires}"),
        format!("{path}?{md5}&{later}"),
        format!("{path}?md5=AAAAAAAAAAAAAAAAAAAAAA&{expires}"),
        format!("/dl/other.txt?{query}"),
        format!("/dl/page.html?{query}"),
        format!("/dl/plain.txt/?{query}"),
        format!("/dl/?{query}"),
        format!("/dl/../outside?{query}"),
        format!("/dl/%2e%2e/outside?{query}"),
    ] {
        let answer = site.ask("GET", &target, &[]).await;
        assert!(matches!(answer.status.as_u16(), 403 | 404 | 410), "{target}: {}", answer.status);
        assert!(!answer.body.starts_with(b"0123456789") && answer.body != b"outside", "{target}");
    }
    // Signed, and yet no file of the folder.
    for (key, status) in [("link", 403), ("plain.txt/x", 404), ("none", 404)] {
        let link = site.sign(key, 60, now).await;
        assert_eq!(site.ask("GET", &link, &[]).await.status, status, "{key}");
    }
}

/// What nginx would send otherwise than the grant says goes another way.
#[tokio::test]
async fn what_a_link_cannot_carry_is_declined() {
    let site = start(|_| Router::new()).await;
    let plain = || Download::new(FileKey::parse("docs/plain.txt").expect("a key"));
    let key = |key: &str| Download::new(FileKey::parse(key).expect("a key"));
    for (download, signed) in [
        (plain(), true),
        (plain().filename("plain.txt"), true),
        (plain().content_type("application/octet-stream"), true),
        (plain().inline(), true),
        (plain().filename("other.txt"), false),
        (plain().filename("ä.txt"), false),
        (plain().content_type("text/html"), false),
        (plain().content_type("text/plain").inline(), false),
        (plain().cache(secure_download::CachePolicy::Private { max_age: Duration::from_secs(9) }), false),
        (plain().version("v1"), false),
        (plain().volume("tenant"), false),
        (key("docs/\u{202e}gpj.exe"), false),
        (key("docs/.bashrc"), false),
        (key("docs/a\"b"), false),
    ] {
        let grant = grant(&download).await;
        let lifetime = Duration::from_secs(5);
        let url = site.signer.sign(&grant, &Method::GET, lifetime, SystemTime::now());
        assert_eq!(url.await.is_ok(), signed, "{download:?}");
    }
}

/// Tries the uploaded page in every frame, and a page that may run beside it; reports once that one has run in each.
const PAGE: &str = r#"<!doctype html><script>
const show = (url) => {
    for (const [tag, name] of [["iframe", "src"], ["embed", "src"], ["object", "data"], ["script", "src"]]) {
        const element = document.createElement(tag);
        element[name] = url;
        document.documentElement.append(element);
    }
    window.open(url);
};
show("LINK");
show("/control");
</script>"#;

#[tokio::test]
async fn an_uploaded_page_runs_nothing_in_chromium() {
    let (ran, controls) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (reports, mut received) = mpsc::unbounded_channel();
    let counted = Arc::clone(&ran);
    let site = start(|port| {
        let file = Download::new(FileKey::parse("page.html").expect("a key"));
        let gate = allow_everybody(
            HashMap::from([("page".to_owned(), file)]),
            Presign::new(signer(port, SECRET)).expires(Duration::from_secs(60)),
        );
        let control = "<!doctype html><script>fetch('/controlled', { method: 'POST' })</script>";
        let (counting, controlled) = (counted, Arc::clone(&controls));
        Router::new()
            .route("/", get(|| async { Html(PAGE.replace("LINK", "/files/page")) }))
            .route("/files/{id}", download::<(), _>(gate))
            .route("/control", get(move || async move { Html(control) }))
            .route(
                "/ran",
                any(move || {
                    counting.fetch_add(1, Ordering::Relaxed);
                    async {}
                }),
            )
            .route(
                "/controlled",
                post(move || {
                    // A frame, an embedded page, an object, a window.
                    if controlled.fetch_add(1, Ordering::Relaxed) == 3 {
                        let _ = reports.send(());
                    }
                    async {}
                }),
            )
    })
    .await;
    let port = site.port;
    let profile = format!("--user-data-dir={}", site.media.with_file_name("profile").display());
    let mut chromium = program("chromium")
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"])
        .args(["--disable-background-networking", "--disable-component-update", "--disable-sync"])
        .args(["--disable-popup-blocking", "--remote-debugging-port=0"])
        .args([&profile, &format!("http://localhost:{port}/")])
        .stderr(Stdio::null())
        .spawn()
        .expect("it runs");
    let report = tokio::time::timeout(Duration::from_secs(90), received.recv()).await;
    chromium.kill().await.expect("ended");
    report.expect("the page beside it ran in time").expect("a report");
    assert_eq!(ran.load(Ordering::Relaxed), 0, "the uploaded page ran");
}

/// The doctor fetches a signed canary from nginx, and the same without its signature.
#[tokio::test]
async fn the_doctor_tells_a_right_secret_from_a_wrong_one() {
    for right in [true, false] {
        let site = start(|port| {
            let expires_at = SystemTime::now() + Duration::from_secs(600);
            let token = DoctorToken::new(DOCTOR_TOKEN, expires_at).expect("a token");
            let secret = if right { SECRET.to_owned() } else { SECRET.replace('0', "1") };
            let doctor = Doctor::for_signer(signer(port, &secret), token);
            Router::new().route_service(&format!("{DOCTOR_PATH}/{{*probe}}"), doctor)
        })
        .await;
        write_canaries(&site.media).expect("written");
        let url = format!("http://{}", site.nginx.address());
        let examination = Examination::new(&url, DOCTOR_TOKEN).expect("a URL").head_timeout(Duration::ZERO);
        let report = tokio::task::spawn_blocking(move || examination.run()).await.expect("a report");
        // This nginx has buffers of 4 KiB.
        let refused = report.rows().iter().any(|row| {
            row.probe == "signed URL" && matches!(row.verdict, secure_download_cli::Verdict::Faults { .. })
        });
        assert_eq!(refused, !right, "{report}");
        assert!(report.faults().any(|fault| fault.id == "nginx-buffer"), "{report}");
    }
}
