//! The doctor on buckets: behind real proxies, right and broken, and by themselves.

use std::collections::{BTreeSet, HashMap};
use std::net::SocketAddr;
use std::time::{Duration, SystemTime};

use MaskingProxy::{Caddy, NewestCaddy, Nginx, NginxHeadersMore};
use axum::Router;
use axum::routing::any;
use http::StatusCode;
use secure_download::doctor::{Canary, DOCTOR_PATH, Doctor, DoctorToken, write_canaries};
use secure_download::{Credentials, S3Bucket, S3Signer};
use secure_download_cli::{Examination, Report, Verdict};
use system_tests::{DOCTOR_TOKEN, Front, MaskedSite, MaskingProxy, ProxyServer, S3Server, serve_router};

async fn report(address: SocketAddr) -> Report {
    let examination = Examination::new(&format!("http://{address}"), DOCTOR_TOKEN).expect("a URL");
    let examination = examination.head_timeout(Duration::ZERO);
    tokio::task::spawn_blocking(move || examination.run()).await.expect("a report")
}

async fn examine(proxy: MaskingProxy, broken: impl Fn(String) -> String) -> Report {
    let site = MaskedSite::start_broken(proxy, HashMap::new(), Router::new(), broken).await;
    write_canaries(&site.store.bucket()).expect("written");
    report(site.proxy()).await
}

fn found(report: &Report) -> BTreeSet<&'static str> {
    report.faults().map(|fault| fault.id).collect()
}

#[tokio::test]
async fn no_false_alarm() {
    for proxy in [NginxHeadersMore, Caddy, NewestCaddy] {
        let report = examine(proxy, |text| text).await;
        assert!(report.is_healthy(), "{proxy:?}\n{report}");
        let passed = report.rows().iter().filter(|row| matches!(row.verdict, Verdict::Pass)).count();
        assert!(passed >= 13, "{proxy:?}: hardly anything was looked at\n{report}");
    }
    // Without the module nginx cannot hide what the store invents, and the doctor says so.
    let report = examine(Nginx, |text| text).await;
    assert_eq!(found(&report), BTreeSet::from(["bucket-shown"]), "{report}");
}

type Broken = (&'static [MaskingProxy], &'static str, &'static str, &'static str);

/// Proxies, what is replaced by what, and the fault that must be among those found.
const BROKEN: &[Broken] = &[
    (&[NginxHeadersMore], "location = /_bucket {", "location = /_elsewhere {", "nginx-bucket"),
    (
        &[NginxHeadersMore],
        "proxy_set_header Host bucket.store.test",
        "proxy_set_header Host x.test",
        "bucket-refuses",
    ),
    (
        &[NginxHeadersMore],
        "proxy_pass https://bucket",
        "proxy_pass https://127.0.0.1:1$sd_fetched; # ",
        "bucket-unreachable",
    ),
    (&[NginxHeadersMore], "authority.pem", "../../etc/ssl/certs/ca-certificates.crt", "bucket-unreachable"),
    (&[NginxHeadersMore], "add_header Content-Security-Policy", "# ", "nginx-headers"),
    (&[NginxHeadersMore], "\"x*\"", "\"y*\"", "bucket-shown"),
    (&[NginxHeadersMore], "proxy_intercept_errors on", "proxy_intercept_errors off", "bucket-errors"),
    (&[NginxHeadersMore], "proxy_set_header Range $sd_range;", "", "bucket-ranges"),
    (
        &[NginxHeadersMore],
        "$sd_path;\n",
        "/private/.secure-download-canary/plain.txt?x=1;\n",
        "bucket-refuses",
    ),
    (&[Caddy, NewestCaddy], "X-Accel-Redirect /_bucket", "X-Accel-Redirect /_elsewhere", "caddy-bucket"),
    (&[Caddy, NewestCaddy], "header_up Host bucket.store.test", "header_up Host x.test", "bucket-refuses"),
    (&[Caddy, NewestCaddy], "name bucket.store.test", "name bucket.store.test.", "none"),
    (
        &[Caddy, NewestCaddy],
        "tls_server_name bucket.store.test",
        "tls_server_name x.test",
        "bucket-unreachable",
    ),
    (&[Caddy, NewestCaddy], "header @secure_download_referrer_policy", "# ", "caddy-headers"),
    (&[Caddy, NewestCaddy], "header_down -**", "", "bucket-shown"),
    (&[Caddy, NewestCaddy], "@missing status 404 410", "@missing status 499", "none"),
    (&[Caddy, NewestCaddy], "request_header @secure_download_range", "# ", "bucket-ranges"),
];

#[tokio::test]
async fn each_mistake_is_named() {
    for (proxies, from, to, fault) in BROKEN {
        for proxy in *proxies {
            let report = examine(*proxy, |text| {
                assert!(text.contains(from), "{from:?} is not in the configuration:\n{text}");
                text.replace(from, to)
            })
            .await;
            let found = found(&report);
            if *fault == "none" {
                assert!(found.is_empty(), "{proxy:?} {from}\n{report}");
            } else {
                assert!(found.contains(fault), "{proxy:?} {from}: {found:?}\n{report}");
            }
            for row in report.rows() {
                if let Verdict::Faults { faults, .. } = &row.verdict {
                    assert!(faults.len() <= 3, "{report}");
                }
            }
        }
    }
}

/// An application that redirects to a bucket at this address.
async fn redirecting(endpoint: &str) -> SocketAddr {
    signing(endpoint, "us-east-1", "private", "access-key", "secret-key").await
}

async fn signing(endpoint: &str, region: &str, bucket: &str, access: &str, secret: &str) -> SocketAddr {
    let bucket = S3Bucket::at(endpoint, region, bucket).expect("a bucket");
    let signer = S3Signer::new(bucket, Credentials::new(access, secret).expect("complete"));
    let expires_at = SystemTime::now() + Duration::from_secs(600);
    let doctor = Doctor::for_signer(signer, DoctorToken::new(DOCTOR_TOKEN, expires_at).expect("a token"));
    serve_router(Router::new().route_service(&format!("{DOCTOR_PATH}/{{*probe}}"), doctor)).await
}

async fn examine_redirecting(endpoint: &str) -> Report {
    report(redirecting(endpoint).await).await
}

async fn examine_signer(endpoint: &str, region: &str, bucket: &str, access: &str, secret: &str) -> Report {
    report(signing(endpoint, region, bucket, access, secret).await).await
}

#[tokio::test]
async fn a_private_bucket_with_the_right_time_is_no_fault() {
    let store = S3Server::start().await;
    write_canaries(&store.bucket()).expect("written");
    let report = examine_redirecting(&store.endpoint()).await;
    let passed = report.rows().iter().filter(|row| matches!(row.verdict, Verdict::Pass)).count();
    assert!(report.is_healthy() && passed == 6, "{report}");
}

#[tokio::test]
async fn a_public_bucket_and_a_wrong_clock_are_named() {
    let date = |ahead: i64| {
        let now = SystemTime::now();
        let by = Duration::from_secs(ahead.unsigned_abs());
        httpdate::fmt_http_date(if ahead > 0 { now + by } else { now - by })
    };
    for (public, ahead, faults) in [
        (true, 0, &["bucket-world-readable"][..]),
        (false, 0, &[]),
        (false, 30, &["clock-skew"]),
        (false, -30, &["clock-skew"]),
        (true, 3600, &["bucket-world-readable", "clock-skew"]),
    ] {
        let store = any(move |uri: http::Uri| async move {
            let given = public || uri.query().is_some();
            let status = if given { StatusCode::OK } else { StatusCode::FORBIDDEN };
            (status, [("date", date(ahead))], if given { canary() } else { Vec::new() })
        });
        let address = serve_router(Router::new().fallback_service(store)).await;
        let report = examine_redirecting(&format!("http://{address}")).await;
        assert_eq!(found(&report), BTreeSet::from_iter(faults.iter().copied()), "{report}");
    }
}

fn canary() -> Vec<u8> {
    Canary::Plain.content().expect("a file")
}

/// A real store, and one part of the signer wrong at a time.
#[tokio::test]
async fn wrong_keys_buckets_and_hosts_are_told_apart() {
    let store = S3Server::start().await;
    write_canaries(&store.bucket()).expect("written");
    let (endpoint, (bucket, access, secret)) = (store.endpoint(), store.names());
    let elsewhere = serve_router(Router::new().fallback(|| async { "another site" })).await;
    let elsewhere = format!("http://{elsewhere}");
    for (endpoint, bucket, access, secret, first) in [
        (endpoint.as_str(), bucket, access, secret, None),
        (&endpoint, bucket, access, "another-secret-key", Some("bucket-secret-key")),
        (&endpoint, bucket, "another-access-key", secret, Some("bucket-access-key")),
        // This store calls a bucket that is not there a missing key.
        (&endpoint, "no-such-bucket", access, secret, Some("bucket-canaries")),
        ("http://s3.example.invalid", bucket, access, secret, Some("bucket-host")),
        ("http://127.0.0.1:1", bucket, access, secret, Some("bucket-host")),
        (&elsewhere, bucket, access, secret, Some("bucket-host")),
    ] {
        let report = examine_signer(endpoint, "us-east-1", bucket, access, secret).await;
        assert_first(&report, first, &format!("{endpoint} {bucket} {access}"));
    }
    std::fs::remove_dir_all(store.bucket().join(".secure-download-canary")).expect("removed");
    let report = examine_signer(&endpoint, "us-east-1", bucket, access, secret).await;
    assert_first(&report, Some("bucket-canaries"), "no canaries");
}

/// The row of the signed URL has this fault in the first place, and no row about the store passes beside it.
fn assert_first(report: &Report, first: Option<&str>, what: &str) {
    let row = |probe| report.rows().iter().find(|row| row.probe == probe).expect("a row");
    match (&row("signed URL").verdict, first) {
        (Verdict::Pass, None) => {}
        (Verdict::Faults { faults, .. }, Some(first)) if faults[0].id == first => {
            let private = &row("bucket not readable by everybody").verdict;
            assert!(matches!(private, Verdict::NotKnown(_)), "{what}\n{report}");
        }
        _ => panic!("{what}: not {first:?}\n{report}"),
    }
}

/// What stores say, by their documentation: Amazon's, Azure's, Google's, Ceph's.
#[tokio::test]
async fn each_stores_own_words_are_understood() {
    for (status, code, message, first) in [
        (
            403,
            "SignatureDoesNotMatch",
            "The request signature we calculated does not match",
            "bucket-secret-key",
        ),
        (403, "InvalidAccessKeyId", "The AWS Access Key Id you provided does not exist", "bucket-access-key"),
        (404, "NoSuchBucket", "The specified bucket does not exist", "bucket-name"),
        (404, "NoSuchKey", "The specified key does not exist.", "bucket-canaries"),
        (
            400,
            "AuthorizationQueryParametersError",
            "the region 'eu-west-1' is wrong; expecting 'eu-central-1'",
            "bucket-region",
        ),
        (301, "PermanentRedirect", "must be addressed using the specified endpoint", "bucket-region"),
        (403, "AccessDenied", "Request has expired", "clock-skew"),
        (403, "AccessDenied", "Request is not valid yet", "clock-skew"),
        (403, "RequestTimeTooSkewed", "The difference is too large", "clock-skew"),
        (403, "AccessDenied", "Access Denied", "bucket-rights"),
        (400, "ExpiredToken", "The provided token has expired.", "bucket-session-token"),
        (403, "InvalidToken", "The provided token is malformed", "bucket-session-token"),
        (403, "AuthenticationFailed", "Server failed to authenticate the request", "bucket-secret-key"),
        (404, "ContainerNotFound", "The specified container does not exist", "bucket-name"),
        (404, "BlobNotFound", "The specified blob does not exist", "bucket-canaries"),
        (403, "AuthorizationPermissionMismatch", "not authorized", "bucket-rights"),
    ] {
        let page =
            format!("<?xml version=\"1.0\"?><Error><Code>{code}</Code><Message>{message}</Message></Error>");
        let status = StatusCode::from_u16(status).expect("a status");
        let store = any(move || async move { (status, page) });
        let address = serve_router(Router::new().fallback_service(store)).await;
        let report = examine_redirecting(&format!("http://{address}")).await;
        assert_first(&report, Some(first), code);
    }
}

/// A limiter in front of the store says nothing about the store, nor does a login page about the application.
#[tokio::test]
async fn others_that_answer_for_the_store_are_named() {
    let store = S3Server::start().await;
    write_canaries(&store.bucket()).expect("written");
    for front in [Front::RateLimiter, Front::RateLimiterOfNginx] {
        for passed in 0..3 {
            let address = front.before(store.address(), passed, |_| false).await;
            let report = examine_redirecting(&format!("http://{address}")).await;
            assert_eq!(report.has_unknown(), passed < 2, "{front:?} after {passed}\n{report}");
            assert!(passed == 2 || report.to_string().contains("answered: "), "{report}");
        }
    }
}

/// A store's own headers, whatever they are called, on a file, a range and an error.
#[tokio::test]
async fn nothing_but_the_files_headers_may_show() {
    let site = |text: String| {
        let shown = "add_header Seaweed-X-Amz-Owner app always; add_header X-Backend b1 always;";
        text.replace("location = /_bucket {", &format!("location = /_bucket {{ {shown}"))
    };
    let report = examine(NginxHeadersMore, site).await;
    let text = report.to_string();
    assert!(found(&report).contains("bucket-shown"), "{report}");
    for line in ["proxy_hide_header seaweed-x-amz-owner;", "proxy_hide_header x-backend;"] {
        assert!(text.contains(line), "{line}\n{report}");
    }
}

/// A redirect with a session token is longer than nginx's own buffer.
#[tokio::test]
async fn long_redirects_behind_small_buffers_are_named() {
    let store = S3Server::start().await;
    write_canaries(&store.bucket()).expect("written");
    let app = redirecting(&store.endpoint()).await;
    for (buffers, healthy) in [("", false), ("proxy_buffer_size 16k; proxy_buffers 8 16k;", true)] {
        let app = if healthy { redirecting(&store.endpoint()).await } else { app };
        let folder = tempfile::tempdir().expect("a folder");
        let proxy = ProxyServer::Nginx.start(folder.path(), |listen| {
            let folder = folder.path().display();
            format!(
                "daemon off; pid {folder}/pid; error_log {folder}/error.log; events {{}}\n\
                 http {{ access_log off; server {{ listen {listen}; location / {{ proxy_pass http://{app}; {buffers} }} }} }}\n"
            )
        });
        let report = report(proxy.address()).await;
        assert_eq!(report.is_healthy(), healthy, "{report}");
        assert_eq!(found(&report).contains("nginx-buffer"), !healthy, "{report}");
    }
}
