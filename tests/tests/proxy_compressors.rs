//! Compressors that a server has turned on for everything: files are sent without.

use std::fs;
use std::path::Path;

use secure_download::{Compressor, Dialect, Download, FileKey, ProxyConfig};
use system_tests::{ProxyServer, ProxySite, SiteBuilder};

/// Text that every compressor would take.
fn text() -> Vec<u8> {
    b"once upon a time ".repeat(1000)
}

fn site(server: ProxyServer) -> SiteBuilder {
    let download = Download::new(FileKey::parse("story.txt").expect("a key")).content_type("text/plain");
    let catalog = [("story".to_owned(), download)].into();
    ProxySite::behind(server).file("story.txt", &text()).catalog(catalog)
}

/// The lines of a server's own configuration that compress everything, put into the rendered one.
fn compressing(server: ProxyServer, configuration: &str) -> String {
    match server.dialect() {
        Dialect::Nginx => {
            let modules = ["http_brotli_filter", "http_brotli_static"]
                .map(|name| format!("load_module modules/ngx_{name}_module.so;\n"));
            let on = "http {\n gzip on; gzip_types *; gzip_proxied any; gzip_static on;\n\
                      brotli on; brotli_types *; brotli_static on;\n";
            modules.concat() + &configuration.replace("http {", on)
        }
        Dialect::Apache => {
            let modules = ["filter", "deflate", "brotli"]
                .map(|name| format!("LoadModule {name}_module /usr/lib/apache2/modules/mod_{name}.so\n"));
            let on = "SetOutputFilter BROTLI_COMPRESS;DEFLATE\n<VirtualHost";
            configuration.replace("<VirtualHost", &(modules.concat() + on))
        }
        Dialect::Lighttpd => {
            let on = "server.modules += ( \"mod_deflate\" )\ndeflate.mimetypes = ( \"text/\" )\n\
                      deflate.allowed-encodings = ( \"gzip\", \"deflate\" )\n$HTTP[\"url\"] =~ \"\" {\n";
            // Below the server's own lines, as a site's file is.
            let (frame, site) = configuration.split_once("\n\n").expect("a site");
            format!("{frame}\n{on}{site}}}\n")
        }
        Dialect::Caddy => configuration.to_owned(),
    }
}

/// A file and its ranges with each coding that a client may take; what is compressed in advance lies beside it.
async fn is_sent_as_it_is(site: &ProxySite) -> Result<(), String> {
    for ending in ["gz", "br", "zst"] {
        fs::write(site.media().join(format!("story.txt.{ending}")), b"packed").expect("written");
    }
    for coding in ["gzip", "br", "deflate", "zstd", "gzip, deflate, br, zstd"] {
        let accept = format!("Accept-Encoding: {coding}");
        let (mut stream, mut answer) =
            (tokio::net::TcpStream::connect(site.proxy()).await.expect("connected"), Vec::new());
        let request =
            format!("GET /alone/story HTTP/1.1\r\nHost: localhost\r\n{accept}\r\nConnection: close\r\n\r\n");
        tokio::io::AsyncWriteExt::write_all(&mut stream, request.as_bytes()).await.expect("sent");
        tokio::io::AsyncReadExt::read_to_end(&mut stream, &mut answer).await.expect("an answer");
        let head = String::from_utf8_lossy(&answer).to_ascii_lowercase();
        if head.contains("\r\ncontent-encoding:") || !answer.ends_with(&text()) {
            return Err(format!("{coding}: {}", head.split("\r\n\r\n").next().unwrap_or_default()));
        }
        let part = site.ask("GET", "/alone/story", &[&accept, "Range: bytes=5-8"]).await;
        if part.status != 206 || part.body != text()[5..9] {
            return Err(format!("{coding}: a range is {}", part.status));
        }
    }
    Ok(())
}

#[tokio::test]
async fn files_are_sent_as_they_are() {
    for (server, compressors) in [
        (ProxyServer::Nginx, &[Compressor::Brotli, Compressor::BrotliStatic, Compressor::GzipStatic][..]),
        (ProxyServer::Apache, &[]),
        (ProxyServer::Lighttpd, &[Compressor::Deflate]),
    ] {
        let site = site(server)
            .configured(move |config| {
                compressors.iter().fold(config, |config, &one| config.compressor(one).expect("its own"))
            })
            .broken(move |configuration| compressing(server, &configuration));
        is_sent_as_it_is(&site.start().await).await.unwrap_or_else(|said| panic!("{server:?}: {said}"));
    }
}

/// Without the option the default is loaded by a server without the module, and does not turn the module off.
#[tokio::test]
async fn a_module_that_is_not_named_compresses() {
    for server in [ProxyServer::Nginx, ProxyServer::Lighttpd] {
        let site = site(server).broken(move |configuration| compressing(server, &configuration));
        assert!(is_sent_as_it_is(&site.start().await).await.is_err(), "{server:?}");
    }
}

#[test]
fn a_compressor_belongs_to_its_server() {
    let root = secure_download::Root::new("/_p", Path::new("/srv")).expect("a root");
    let mapping = secure_download::Mapping::new([root]).expect("a mapping");
    let secret = secure_download::ProxySecret::from_random(&[7; 32]);
    for dialect in Dialect::ALL {
        for compressor in Compressor::ALL {
            let own = if compressor == Compressor::Deflate { Dialect::Lighttpd } else { Dialect::Nginx };
            let config = ProxyConfig::new(dialect, &mapping, &secret).compressor(compressor);
            assert_eq!(config.is_ok(), dialect == own, "{dialect} {compressor}");
            assert_eq!(compressor.name().parse(), Ok(compressor));
        }
    }
}
