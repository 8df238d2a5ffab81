//! The doctor on buckets: behind real proxies, right and broken, and by themselves.

use std::collections::{BTreeSet, HashMap};
use std::time::{Duration, SystemTime};

use MaskingProxy::{Caddy, NewestCaddy, Nginx, NginxHeadersMore};
use axum::Router;
use axum::routing::any;
use http::StatusCode;
use secure_download::doctor::{DOCTOR_PATH, Doctor, DoctorToken, write_canaries};
use secure_download::{Credentials, S3Bucket, S3Signer};
use secure_download_cli::{Examination, Report, Verdict};
use system_tests::{DOCTOR_TOKEN, MaskedSite, MaskingProxy, S3Server, serve_router};

async fn report(address: std::net::SocketAddr) -> Report {
    let run = move || Examination::new(&format!("http://{address}"), DOCTOR_TOKEN).expect("a URL").run();
    tokio::task::spawn_blocking(run).await.expect("a report")
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
async fn examine_redirecting(endpoint: &str) -> Report {
    let bucket = S3Bucket::at(endpoint, "us-east-1", "private").expect("a bucket");
    let signer = S3Signer::new(bucket, Credentials::new("access-key", "secret-key").expect("complete"));
    let expires_at = SystemTime::now() + Duration::from_secs(600);
    let doctor = Doctor::for_signer(signer, DoctorToken::new(DOCTOR_TOKEN, expires_at).expect("a token"));
    let app = Router::new().route_service(&format!("{DOCTOR_PATH}/{{*probe}}"), doctor);
    report(serve_router(app).await).await
}

#[tokio::test]
async fn a_private_bucket_with_the_right_time_is_no_fault() {
    let store = S3Server::start().await;
    write_canaries(&store.bucket()).expect("written");
    let report = examine_redirecting(&store.endpoint()).await;
    let passed = report.rows().iter().filter(|row| matches!(row.verdict, Verdict::Pass)).count();
    assert!(report.is_healthy() && passed == 3, "{report}");
}

#[tokio::test]
async fn a_public_bucket_and_a_wrong_clock_are_named() {
    let date = |ahead: i64| {
        let now = SystemTime::now();
        let by = Duration::from_secs(ahead.unsigned_abs());
        httpdate::fmt_http_date(if ahead > 0 { now + by } else { now - by })
    };
    for (status, ahead, faults) in [
        (StatusCode::OK, 0, &["bucket-world-readable"][..]),
        (StatusCode::FORBIDDEN, 0, &[]),
        (StatusCode::FORBIDDEN, 30, &["clock-skew"]),
        (StatusCode::FORBIDDEN, -30, &["clock-skew"]),
        (StatusCode::OK, 3600, &["bucket-world-readable", "clock-skew"]),
    ] {
        let store = any(move || async move { (status, [("date", date(ahead))], "a file") });
        let address = serve_router(Router::new().fallback_service(store)).await;
        let report = examine_redirecting(&format!("http://{address}")).await;
        assert_eq!(found(&report), BTreeSet::from_iter(faults.iter().copied()), "{report}");
    }
}
