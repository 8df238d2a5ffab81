//! The doctor on whole sites: below a path, behind TLS, and on what clients do to connections.

use std::time::Duration;

use ProxyServer::{Apache, Caddy, Lighttpd, NewestCaddy, Nginx};
use secure_download::doctor::write_canaries;
use secure_download_cli::{Examination, Report, Verdict};
use system_tests::{
    CertificateAuthority, DOCTOR_TOKEN, ProxyServer, ProxySite, SiteBuilder, doctor_token, replaced,
};

async fn run(examination: Examination) -> Report {
    tokio::task::spawn_blocking(move || examination.run()).await.expect("a report")
}

async fn examine(url: &str) -> Report {
    run(Examination::new(url, DOCTOR_TOKEN).expect("a URL").head_timeout(Duration::ZERO)).await
}

fn below(server: ProxyServer) -> SiteBuilder {
    ProxySite::behind(server).configured(|config| config.path("/shop").expect("a path"))
}

fn has(report: &Report, id: &str) -> bool {
    report.faults().any(|fault| fault.id == id)
}

#[tokio::test]
async fn a_right_site_below_a_path_is_healthy() {
    for server in ProxyServer::ALL {
        let site = below(server).start().await;
        write_canaries(site.media()).expect("written");
        let report = examine(&format!("http://{}/shop", site.proxy())).await;
        assert!(report.is_healthy(), "{server:?}\n{report}");
        let passed = report.rows().iter().filter(|row| matches!(row.verdict, Verdict::Pass)).count();
        assert!(passed >= 15, "{server:?}: hardly anything was looked at\n{report}");
    }
}

/// The way to the files lies at the server's root, wherever the application lives.
#[tokio::test]
async fn ways_around_a_site_below_a_path_are_found() {
    let open = |text: String| {
        let text = replaced("internal;", "")(text);
        replaced("if ($upstream_status !~ \"200$\")", "if ($upstream_status = 1)")(text)
    };
    let slashes = |text: String| {
        let text = replaced("location ^~ /_protected/media/ {", "location ^~ /_protected/media {")(text);
        replaced("/media/\";", "/media\";")(text)
    };
    let half_open = replaced("internal;", "");
    for (number, (site, fault)) in [
        (below(Nginx).broken(open), "nginx-not-internal"),
        (below(Nginx).broken(half_open), "nginx-not-internal"),
        (below(Nginx).broken(slashes), "nginx-slash"),
        (
            below(Nginx).broken(|text: String| {
                let alias = text.split_once("alias \"").and_then(|(_, rest)| rest.split_once("/media/\";"));
                let root = format!("location / {{\n root \"{}\";\n", alias.expect("an alias").0);
                text.replace("location / {\n        return 404;", &root)
                    .replace("location / {\n            return 404;", &root)
            }),
            "folder-public",
        ),
    ]
    .into_iter()
    .enumerate()
    {
        let site = site.start().await;
        write_canaries(site.media()).expect("written");
        let report = examine(&format!("http://{}/shop", site.proxy())).await;
        assert!(has(&report, fault), "{number}: {fault}\n{report}");
    }
}

/// An authority that this machine does not know is named, and the site examined once it is.
#[tokio::test]
async fn a_private_authority_is_trusted_when_it_is_given() {
    let site = ProxySite::behind(Nginx).start().await;
    write_canaries(site.media()).expect("written");
    let folder = tempfile::tempdir().expect("a folder");
    let authority = CertificateAuthority::new();
    let (certificate, key) = authority.files("localhost", folder.path());
    let trusted = folder.path().join("authority.pem");
    std::fs::write(&trusted, authority.pem()).expect("written");
    let inner = site.proxy();
    let outer = Nginx.start(folder.path(), |listen| {
        let folder = folder.path().display();
        format!(
            "daemon off; pid {folder}/pid; error_log {folder}/error.log; events {{}}\n\
             http {{ access_log off; server {{ listen {listen} ssl; ssl_certificate {};\n\
             ssl_certificate_key {}; location / {{ proxy_pass http://{inner}; proxy_http_version 1.1;\n\
             proxy_set_header Connection \"\"; proxy_set_header Host $http_host;\n\
             proxy_buffer_size 16k; proxy_buffers 8 16k; }} }} }}\n",
            certificate.display(),
            key.display()
        )
    });
    let url = format!("https://localhost:{}", outer.address().port());
    let report = examine(&url).await;
    assert!(has(&report, "certificate") && report.to_string().contains("--ca FILE"), "{report}");
    let examination = Examination::trusting(&url, DOCTOR_TOKEN, &[trusted]).expect("a URL");
    let report = run(examination.head_timeout(Duration::ZERO)).await;
    assert!(report.is_healthy(), "{report}");
    let error = Examination::trusting(&url, DOCTOR_TOKEN, &[folder.path().join("none.pem")]);
    assert!(error.expect_err("no such file").contains("none.pem"));
}

/// A head that never ends: the same servers with a short limit and with a very long one.
#[tokio::test]
async fn heads_that_never_end_are_ended_or_named() {
    type Change = (&'static str, &'static str);
    let cases: &[(ProxyServer, Change, Change)] = &[
        (
            Nginx,
            ("client_max_body_size 0;", "client_max_body_size 0; client_header_timeout 1s;"),
            ("client_max_body_size 0;", "client_max_body_size 0; client_header_timeout 1h;"),
        ),
        (Caddy, ("read_header 30s", "read_header 1s"), ("read_header 30s", "")),
        (NewestCaddy, ("read_header 30s", "read_header 1s"), ("read_header 30s", "")),
        (
            Apache,
            ("header=20-40,MinRate=500", "header=1-2,MinRate=500"),
            ("header=20-40,MinRate=500", "header=3600"),
        ),
        (
            Lighttpd,
            ("server.max-request-size = 0", "server.max-request-size = 0\nserver.max-read-idle = 1"),
            ("server.max-request-size = 0", "server.max-request-size = 0\nserver.max-read-idle = 3600"),
        ),
    ];
    let examined = async |server, (from, to): Change, seconds| {
        let site = ProxySite::behind(server).broken(replaced(from, to)).start().await;
        write_canaries(site.media()).expect("written");
        let examination = Examination::new(&format!("http://{}", site.proxy()), DOCTOR_TOKEN).expect("a URL");
        run(examination.head_timeout(Duration::from_secs(seconds))).await
    };
    for &(server, limited, unlimited) in cases {
        let report = examined(server, limited, 20).await;
        assert!(report.is_healthy(), "{server:?}\n{report}");
        let report = examined(server, unlimited, 4).await;
        assert!(has(&report, "unfinished-heads"), "{server:?}\n{report}");
    }
}

/// Each compressor is named with its own line.
#[tokio::test]
async fn compressors_are_named() {
    let brotli = |text: String| {
        let modules = ["filter", "static"]
            .map(|name| format!("load_module modules/ngx_http_brotli_{name}_module.so;\n"));
        format!("{}{text}", modules.concat())
    };
    let site = |server, from, to| ProxySite::behind(server).broken(replaced(from, to));
    let nginx =
        |on: &'static str| ProxySite::behind(Nginx).broken(move |text| brotli(replaced("http {", on)(text)));
    let deflate = "server.modules += ( \"mod_deflate\" )\ndeflate.mimetypes = ( \"text/\" )\n\
                   deflate.allowed-encodings = ( \"gzip\", \"deflate\" )\nserver.max-request-size = 0";
    let in_location = "off;        # in `location ^~ /_protected/media/`";
    for (site, said, lines) in [
        (site(Nginx, "gzip off", "gzip on; gzip_types text/plain"), "(gzip)", &["gzip "][..]),
        (nginx("http { brotli on; brotli_types *;"), "(br)", &["brotli "]),
        (
            nginx("http { brotli_static on; gzip_static on;"),
            "(gzip, br)",
            &["gzip_static ", "brotli_static "],
        ),
        (
            site(Caddy, "reverse_proxy 127", "encode gzip zstd\n\treverse_proxy 127"),
            "(gzip, zstd)",
            &["encode zstd"],
        ),
        (
            site(NewestCaddy, "reverse_proxy 127", "encode zstd\n\treverse_proxy 127"),
            "(zstd)",
            &["encode zstd"],
        ),
        (
            site(Lighttpd, "server.max-request-size = 0", deflate),
            "(gzip, deflate)",
            &["deflate.mimetypes = ()"],
        ),
    ] {
        let site = site.start().await;
        write_canaries(site.media()).expect("written");
        let report = examine(&format!("http://{}", site.proxy())).await;
        let text = report.to_string();
        assert!(has(&report, "compression") && text.contains(said), "{said}\n{text}");
        for line in lines {
            let line = if line.ends_with(' ') { format!("{line}{in_location}") } else { (*line).to_owned() };
            assert!(text.contains(&line), "{line}\n{text}");
        }
    }
}

/// Each examination has its own session, and a spent one says nothing more.
#[tokio::test]
async fn examinations_do_not_disturb_each_other() {
    let site = ProxySite::behind(Nginx).start().await;
    write_canaries(site.media()).expect("written");
    let url = format!("http://{}", site.proxy());
    let examination =
        |number| Examination::new(&url, &doctor_token(number)).expect("a URL").head_timeout(Duration::ZERO);
    let (one, two) = tokio::join!(run(examination(0)), run(examination(1)));
    assert!(one.is_healthy() && two.is_healthy(), "{one}\n{two}");
}
