//! Rendered configurations, as the servers themselves read them.

use std::fs;
use std::process::Command;

use clap::Parser as _;
use secure_download::{BucketUpstream, Dialect, Mapping, ProxyConfig, ProxySecret, Root};
use secure_download_cli::{Command as SecureDownload, Outcome};

fn mapping() -> Mapping {
    let root = |location, folder| Root::new(location, folder).expect("a root");
    Mapping::new([
        root("/_protected/media", "/srv/media"),
        root("/_protected/archive", "/mnt/the \"old\" archive").keys_under("archive").expect("a key"),
        root("/_protected/tenant-7", "/srv/tenant-7").volume("tenant-7"),
        root("/_protected/tenants", "/srv/tenants").every_volume(),
    ])
    .expect("a mapping")
}

fn secret() -> ProxySecret {
    ProxySecret::new("0123456789abcdef0123456789abcdef").expect("a secret")
}

/// `proxy-config --check` has the installed server read it, as a site and as a whole.
#[test]
fn each_server_takes_what_is_rendered_for_it() {
    for dialect in Dialect::ALL {
        let folder = tempfile::tempdir().expect("a folder");
        let standalone = folder.path().to_str().expect("UTF-8");
        for layout in [&[][..], &["--standalone", standalone], &["--listen", "[::1]:8081"]] {
            let arguments = [
                "secure-download",
                "proxy-config",
                "--check",
                "--server",
                dialect.name(),
                "--root",
                "/_protected/media=/srv/a \"b\" 'c';#%",
                "--root",
                "*:/_protected/tenants=/srv/tenants",
                "--keep-header",
                "x-more",
            ];
            let command =
                SecureDownload::try_parse_from([&arguments[..], layout].concat()).expect("arguments");
            let done = command.run().unwrap_or_else(|error| panic!("{dialect}: {error}"));
            assert!(
                done.outcome == Outcome::Success && done.output.contains("/_protected/media")
                    || dialect.header() == "x-sendfile"
            );
        }
        let arguments = [
            "secure-download",
            "proxy-config",
            "--check",
            "--server",
            dialect.name(),
            "--root",
            "/_p=/srv",
            "--listen",
            "127.0.0.1:8080",
            "--standalone",
            "/no/such/folder",
        ];
        let refused = SecureDownload::try_parse_from(arguments).expect("arguments").run();
        // The others open their files when they start.
        if matches!(dialect, Dialect::Nginx | Dialect::Apache) {
            assert!(refused.is_err(), "{dialect} takes a folder that does not exist");
        }
    }
}

/// With buckets too, alone and beside folders; and only where the server can fetch safely.
#[test]
fn servers_that_can_fetch_take_buckets_too() {
    for dialect in Dialect::ALL {
        let run = |arguments: &[&str]| {
            let common = ["secure-download", "proxy-config", "--check", "--server", dialect.name()];
            let bucket = ["--bucket", "/_bucket=https://scans.s3.example", "--resolver", "127.0.0.53:53"];
            SecureDownload::try_parse_from([&common[..], &bucket, arguments].concat())
                .map_err(|error| error.to_string())
                .and_then(SecureDownload::run)
        };
        let more = ["--bucket", "/_other=http://127.0.0.1:9000", "--root", "/_protected=/srv/media"];
        for arguments in
            [&[][..], &more, &["--headers-more"], &["--trusted", "/etc/ssl/certs/ca-certificates.crt"]]
        {
            match run(arguments) {
                Ok(done) => assert!(done.output.contains("scans.s3.example"), "{dialect}"),
                Err(error) => {
                    let cannot = matches!(dialect, Dialect::Apache | Dialect::Lighttpd);
                    assert!(cannot && error.contains("only nginx and Caddy"), "{dialect}: {error}");
                }
            }
        }
        for (arguments, says) in [
            (&["--bucket", "/_bucket=https://other.example"][..], "overlaps"),
            (&["--root", "/_bucket=/srv/media"], "overlaps"),
            (&["--bucket", "/_plain=http://s3.example"], "TLS"),
            (&["--bucket", "/_address=https://10.0.0.1"], "certificate"),
            (&["--bucket", "/_query=https://s3.example/scans?a"], "origin"),
            (&["--bucket", "https://s3.example"], "LOCATION"),
        ] {
            let error = run(arguments).err().unwrap_or_default();
            assert!(
                error.contains(says) || error.contains("only nginx and Caddy"),
                "{dialect} {arguments:?}: {error}"
            );
        }
    }
}

/// A site among others, as distributions include it.
#[test]
fn a_site_fits_into_the_servers_own_configuration() {
    for dialect in Dialect::ALL {
        let folder = tempfile::tempdir().expect("a folder");
        let (mapping, secret) = (mapping(), secret());
        let site = folder.path().join("site.conf");
        fs::write(&site, ProxyConfig::new(dialect, &mapping, &secret).render()).expect("written");
        let (here, site) = (folder.path().display(), site.display());
        let (program, frame): (&[&str], String) = match dialect {
            Dialect::Nginx => (
                &["/usr/sbin/nginx", "-t", "-q", "-c"],
                format!(
                    "pid {here}/pid; error_log {here}/log; events {{}} http {{ access_log off; include {site}; }}"
                ),
            ),
            Dialect::Caddy => (
                &["/usr/bin/caddy", "validate", "--adapter", "caddyfile", "--config"],
                format!("import {site}"),
            ),
            Dialect::Apache => {
                let modules =
                    ["mpm_event", "authz_core", "headers", "proxy", "proxy_http", "setenvif", "xsendfile"];
                let load = modules
                    .map(|name| format!("LoadModule {name}_module /usr/lib/apache2/modules/mod_{name}.so\n"));
                let load = load.concat();
                (
                    &["/usr/sbin/apache2", "-t", "-f"],
                    format!("ServerName x\nPidFile {here}/pid\nErrorLog {here}/log\n{load}Include {site}\n"),
                )
            }
            Dialect::Lighttpd => (
                &["/usr/sbin/lighttpd", "-tt", "-f"],
                format!(
                    "server.modules = ( \"mod_access\" )\nserver.document-root = \"{here}\"\nserver.port = 8000\n\
                     include \"{site}\"\n"
                ),
            ),
        };
        let file = folder.path().join("frame.conf");
        fs::write(&file, frame).expect("written");
        let output = Command::new(program[0]).args(&program[1..]).arg(&file).output().expect("installed");
        let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        assert!(output.status.success() && !said.contains("WARNING"), "{dialect}: {said}");
    }
}

/// `examples/proxies` holds what the renderer makes of one mapping and of one bucket. Set `UPDATE_EXAMPLES` to write it anew.
#[test]
fn the_examples_are_what_is_rendered() {
    let (mapping, secret) = (mapping(), secret());
    let bucket = BucketUpstream::new("/_bucket", "https://scans.s3.eu-central-1.amazonaws.com");
    let bucket = bucket.expect("an origin").resolver("127.0.0.53:53".parse().expect("an address"));
    let of_bucket =
        |dialect| ProxyConfig::for_bucket(dialect, &bucket, &secret).expect("a proxy that can fetch");
    for (name, rendered) in [
        ("nginx.conf", ProxyConfig::new(Dialect::Nginx, &mapping, &secret).render()),
        ("Caddyfile", ProxyConfig::new(Dialect::Caddy, &mapping, &secret).render()),
        (
            "server-wide.caddy",
            ProxyConfig::new(Dialect::Caddy, &mapping, &secret).server_wide().expect("for Caddy"),
        ),
        ("apache.conf", ProxyConfig::new(Dialect::Apache, &mapping, &secret).render()),
        ("lighttpd.conf", ProxyConfig::new(Dialect::Lighttpd, &mapping, &secret).render()),
        ("nginx-bucket.conf", of_bucket(Dialect::Nginx).headers_more().render()),
        ("Caddyfile.bucket", of_bucket(Dialect::Caddy).render()),
    ] {
        // A secret that everybody can read here, and that `ProxySecret` refuses.
        let rendered = rendered.replace(secret.expose(), "CHANGE-ME-openssl-rand-hex-32-0123456789");
        let path = format!("{}/../examples/proxies/{name}", env!("CARGO_MANIFEST_DIR"));
        if std::env::var_os("UPDATE_EXAMPLES").is_some() {
            fs::write(&path, &rendered).expect("written");
        }
        let kept = fs::read_to_string(&path).unwrap_or_default();
        assert!(kept == rendered, "{path} is not what is rendered: run this test with UPDATE_EXAMPLES=1");
    }
}
