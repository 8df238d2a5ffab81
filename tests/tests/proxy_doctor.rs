//! The doctor on every mistake that is known, made in the configuration of real servers: it names the mistake, among three at
//! most. And on every deployment that is right: it finds nothing.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use ProxyServer::{Apache, Caddy, Lighttpd, NewestCaddy, Nginx};
use secure_download::Dialect;
use secure_download::doctor::write_canaries;
use secure_download_cli::{Examination, Report, Verdict};
use system_tests::{DOCTOR_TOKEN, MISTAKES, ProxyServer, ProxySite, SiteBuilder, replaced};

/// Starts a site with canaries, and examines it.
async fn examine(site: SiteBuilder) -> (ProxySite, Report) {
    let site = site.start().await;
    write_canaries(site.media()).expect("written");
    let report = report(&site).await;
    (site, report)
}

async fn report(site: &ProxySite) -> Report {
    report_at(&format!("http://{}", site.proxy()), DOCTOR_TOKEN).await
}

/// Without the probe that takes as long as the site waits.
async fn report_at(url: &str, token: &str) -> Report {
    let examination = Examination::new(url, token).expect("a URL").head_timeout(Duration::ZERO);
    tokio::task::spawn_blocking(move || examination.run()).await.expect("a report")
}

fn found(report: &Report) -> BTreeSet<&'static str> {
    report.faults().map(|fault| fault.id).collect()
}

#[tokio::test]
async fn no_false_alarm() {
    for server in ProxyServer::ALL {
        for guarded in [true, false] {
            // Without the guard only lighttpd would send a file under another status.
            if server == Lighttpd && !guarded {
                continue;
            }
            for folder in ["media", "odd \"folder' é"] {
                let site = ProxySite::behind(server).folder(folder);
                let (_site, report) = examine(if guarded { site } else { site.unguarded() }).await;
                assert!(report.is_healthy(), "{server:?}\n{report}");
                let passed = report.rows().iter().filter(|row| matches!(row.verdict, Verdict::Pass)).count();
                assert!(passed >= 15, "{server:?}: hardly anything was looked at\n{report}");
            }
        }
    }
}

/// `mod_deflate` does not touch what `mod_xsendfile` sends.
#[tokio::test]
async fn apache_with_mod_deflate() {
    let deflate = "LoadModule filter_module /usr/lib/apache2/modules/mod_filter.so\n\
                   LoadModule deflate_module /usr/lib/apache2/modules/mod_deflate.so\n\
                   AddOutputFilterByType DEFLATE text/plain\nXSendFile On";
    let (_site, report) = examine(ProxySite::behind(Apache).broken(replaced("XSendFile On", deflate))).await;
    assert!(report.is_healthy(), "{report}");
}

/// The report on a site with canaries behind a second nginx that relays, with more lines in its `http`, `server` and `location`.
async fn behind_nginx(server: ProxyServer, [http, more, location]: [&str; 3]) -> Report {
    let site = ProxySite::behind(server).start().await;
    write_canaries(site.media()).expect("written");
    let folder = tempfile::tempdir().expect("a folder");
    let inner = site.proxy();
    let outer = Nginx.start(folder.path(), |listen| {
        let folder = folder.path().display();
        format!(
            "daemon off; pid {folder}/pid; error_log {folder}/error.log; events {{}}\n\
             http {{ access_log off; {http} server {{ listen {listen}; {more} location / {{ proxy_pass http://{inner};\n\
             proxy_http_version 1.1; proxy_set_header Connection \"\"; proxy_set_header Host $http_host;\n\
             proxy_buffer_size 16k; proxy_buffers 8 16k; {location} }} }} }}\n"
        )
        .replace("FOLDER", &folder.to_string())
    });
    report_at(&format!("http://{}", outer.address()), DOCTOR_TOKEN).await
}

/// A second proxy in front that only relays is no fault.
#[tokio::test]
async fn an_outer_layer_that_only_relays() {
    for server in ProxyServer::ALL {
        let report = behind_nginx(server, [""; 3]).await;
        assert!(report.is_healthy(), "{server:?}\n{report}");
    }
}

/// Nor is one that closes everything near the internal location.
#[tokio::test]
async fn an_outer_layer_that_closes_the_location() {
    let report = behind_nginx(Nginx, ["", "location /_protected/ { return 404; }", ""]).await;
    assert!(report.is_healthy(), "{report}");
}

/// A cache in front that heeds nothing. Without a row of its own every other row would speak of what was kept.
#[tokio::test]
async fn a_cache_in_front() {
    let kept = "proxy_cache kept; proxy_cache_valid any 1h;\n\
                proxy_ignore_headers Cache-Control Vary Set-Cookie Expires;";
    for server in [Nginx, Caddy] {
        let report =
            behind_nginx(server, ["proxy_cache_path FOLDER/cache keys_zone=kept:1m;", "", kept]).await;
        named(&report, "cached", &format!("{server:?}"));
    }
}

#[tokio::test]
async fn every_broken_configuration_is_named() {
    for (servers, from, to, fault) in MISTAKES {
        for &server in *servers {
            let (_site, report) = examine(ProxySite::behind(server).broken(replaced(from, to))).await;
            named(&report, fault, &format!("{server:?}: {from:?} replaced by {to:?}"));
        }
    }
}

/// The fault is among those found, and no row leaves more than three to choose from.
fn named(report: &Report, fault: &str, what: &str) {
    assert!(found(report).contains(fault), "{what}: {fault} is not among those found\n{report}");
    for row in report.rows() {
        if let Verdict::Faults { faults, .. } = &row.verdict {
            assert!((1..=3).contains(&faults.len()), "{what}\n{report}");
            assert!(faults.iter().all(|fault| !fault.mend.is_empty()), "{what}\n{report}");
        }
    }
    assert!(report.to_json().contains(fault) && report.to_string().contains(fault));
}

/// Mistakes that take more than one line.
#[tokio::test]
async fn broken_in_several_places() {
    let both = |one: (&'static str, &'static str), two: (&'static str, &'static str)| {
        move |text| replaced(two.0, two.1)(replaced(one.0, one.1)(text))
    };
    let not_internal =
        both(("internal;", ""), ("if ($upstream_status !~ \"200$\")", "if ($upstream_status = 1)"));
    let (_site, report) = examine(ProxySite::behind(Nginx).broken(not_internal)).await;
    named(&report, "nginx-not-internal", "nginx without internal");

    let regex = both(
        ("location ^~ /_protected", "location /_protected"),
        ("location / {", "location ~ [.]txt$ { return 200 \"static\\n\"; }\nlocation / {"),
    );
    let (_site, report) = examine(ProxySite::behind(Nginx).broken(regex)).await;
    named(&report, "nginx-regex", "nginx with a regular expression");

    let error_page = |text: String| {
        let upstream = text.split_once("proxy_pass ").and_then(|(_, rest)| rest.split_once(';'));
        let again = format!(
            "location @app {{ proxy_pass {}; proxy_set_header Host $http_host;\n\
             proxy_set_header X-Secure-Download-Proof 0123456789abcdef0123456789abcdef; }}\nlocation / {{",
            upstream.expect("an upstream").0
        );
        text.replace("alias", "error_page 404 = @app; root").replace("location / {", &again)
    };
    let (_site, report) = examine(ProxySite::behind(Nginx).broken(error_page)).await;
    named(&report, "nginx-error-page", "nginx with an error page and a wrong folder");

    let slashes = both(("/_protected/media/ {", "/_protected/media {"), ("/media/\";", "/media\";"));
    let (_site, report) = examine(ProxySite::behind(Nginx).broken(slashes)).await;
    named(&report, "nginx-slash", "nginx without slashes");
    let one_slash = replaced("/_protected/media/ {", "/_protected/media {");
    let (_site, report) = examine(ProxySite::behind(Nginx).broken(one_slash)).await;
    named(&report, "nginx-slash", "nginx with one slash");

    let status = replaced("if ($upstream_status !~ \"200$\")", "if ($upstream_status = 1)");
    let (_site, report) = examine(ProxySite::behind(Nginx).unguarded().broken(status)).await;
    named(&report, "status-ignored", "nginx, whatever the status");
    let (_site, report) = examine(ProxySite::behind(Lighttpd).unguarded()).await;
    named(&report, "guard-missing", "lighttpd without the guard");
    // Without the guard nginx asks the application again and again.
    let no_location = replaced("location ^~ /_protected/media/ {", "location ^~ /_elsewhere/ {");
    let (_site, report) = examine(ProxySite::behind(Nginx).unguarded().broken(no_location)).await;
    named(&report, "nginx-location", "nginx without the location and the guard");

    let no_module = both(("LoadModule xsendfile_module", "# "), ("XSendFile", "# XSendFile"));
    let (_site, report) = examine(ProxySite::behind(Apache).broken(no_module)).await;
    named(&report, "apache-module", "Apache without the module");

    for server in [Caddy, NewestCaddy] {
        let status = replaced("\t\t\tstatus 200\n", "");
        let (_site, report) = examine(ProxySite::behind(server).unguarded().broken(status)).await;
        named(&report, "status-ignored", "Caddy, whatever the status");

        let block = |text: &str, from: &str, to: &str| {
            let (start, end) = (text.find(from).expect(from), text.find(to).expect(to));
            format!("{}{}", &text[..start], &text[end..])
        };
        let no_handle = move |text: String| {
            let end = text.rfind("\t}\n}\n").expect("the end");
            let start = text.find("\t\t@hand_off_0").expect("a matcher");
            format!("{}{}", &text[..start], &text[end..])
        };
        let (_site, report) = examine(ProxySite::behind(server).broken(no_handle)).await;
        named(&report, "caddy-handle", "Caddy without handle_response");
        let no_headers = move |text: String| block(&text, "\t\t\tcopy_response_headers", "\t\t\tfile_server");
        let (_site, report) = examine(ProxySite::behind(server).broken(no_headers)).await;
        named(&report, "caddy-headers", "Caddy without copy_response_headers");
        let public = |text: String| {
            let root =
                text.lines().find(|line| line.contains("root *")).expect("a root").replace("/media\"", "\"");
            text.replace(
                "\treverse_proxy",
                &format!("\thandle /media/* {{\n{root}\nfile_server\n}}\n\treverse_proxy"),
            )
        };
        let (_site, report) = examine(ProxySite::behind(server).broken(public)).await;
        named(&report, "folder-public", "Caddy with a public folder");
    }
    // What everybody copies: 2.6 takes the value as it is. (From 2.7 on it undoes the escaping, which is right.)
    let documented = both(
        ("rewrite * /__accel__?", "rewrite * {http.reverse_proxy.header.X-Accel-Redirect}"),
        ("uri replace /__accel__", "# "),
    );
    let (_site, report) = examine(ProxySite::behind(Caddy).broken(documented)).await;
    named(&report, "caddy-escaping", "Caddy 2.6 with the documented rewrite");
}

/// An application that speaks to another proxy than the one in front of it.
#[tokio::test]
async fn the_wrong_dialect() {
    for server in ProxyServer::ALL {
        for dialect in Dialect::ALL {
            if dialect.header() == server.dialect().header() {
                continue;
            }
            let (_site, report) = examine(ProxySite::behind(server).dialect(dialect)).await;
            named(&report, "other-proxy", &format!("{server:?} spoken to as {dialect}"));
        }
    }
}

#[tokio::test]
async fn files_that_cannot_be_read_or_are_not_there() {
    for server in ProxyServer::ALL {
        let site = ProxySite::behind(server).start().await;
        let report = report(&site).await;
        named(&report, "canaries-missing", &format!("{server:?} without canaries"));
    }
    // The workers of the others run as whoever starts them, which is root in some places.
    for server in [Nginx, Apache] {
        let site = ProxySite::behind(server).start().await;
        write_canaries(site.media()).expect("written");
        fs::set_permissions(site.media(), fs::Permissions::from_mode(0o700)).expect("permissions");
        let report = report(&site).await;
        if rustix::process::geteuid().is_root() {
            named(&report, "permissions", &format!("{server:?} without permission"));
        }
    }
}

#[tokio::test]
async fn nobody_is_told_anything_without_a_token() {
    let site = ProxySite::behind(Nginx).start().await;
    write_canaries(site.media()).expect("written");
    let url = format!("http://{}", site.proxy());
    let examine = async |token: &'static str| report_at(&url, token).await;
    named(&examine("wrong-wrong-wrong-wrong-wrong-wrong-").await, "doctor-token", "a wrong token");
    for path in ["open", "echo", "file/0/plain", "outside/0/0", "changed/0/plain", "plan/0/plain"] {
        let answer = site.get(&format!("/.secure-download-doctor/{path}")).await;
        assert_eq!((answer.status.as_u16(), answer.body.len()), (404, 0), "{path}");
    }
    assert!(examine(DOCTOR_TOKEN).await.is_healthy());
    named(&examine(DOCTOR_TOKEN).await, "doctor-token", "a spent token");
}

#[tokio::test]
async fn nobody_is_there() {
    let run = || Examination::new("http://127.0.0.1:1", DOCTOR_TOKEN).expect("a URL").run();
    let report = tokio::task::spawn_blocking(run).await.expect("a report");
    named(&report, "unreachable", "no server");
}
