//! [`ProxySite`]: an application behind a proxy, both over the same folders.

use std::collections::HashMap;
use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use axum::Router;
use secure_download::axum::download;
use secure_download::{
    AccelRedirect, Decision, DeliveryStrategy, Denial, Download, FirstOf, Gate, Mapping, ProxyConfig,
    ProxySecret, Root, Stream,
};

use crate::{Answer, Http1, ProxyServer, Running, serve_router};

/// What the proxy proves itself with.
pub const SECRET: &str = "0123456789abcdef0123456789abcdef";

/// Downloads whose name begins so are denied.
const DENIED: &str = "denied";

/// An application, its proxy, and their folders. `/accel/{id}` hands off, else streams; `/alone/{id}` only hands off;
/// `/stream/{id}` streams.
#[derive(Debug)]
pub struct ProxySite {
    // Stopped before its folder goes.
    proxy: Running,
    app: SocketAddr,
    server: ProxyServer,
    media: PathBuf,
    _folder: tempfile::TempDir,
}

impl ProxySite {
    /// Files to be delivered, by name, and what the application knows about them.
    ///
    /// # Panics
    /// If anything does not start.
    pub async fn start(
        server: ProxyServer,
        files: &[(&str, &[u8])],
        catalog: HashMap<String, Download>,
    ) -> Self {
        Self::with_routes(server, "media", files, catalog, Router::new(), |text| text).await
    }

    /// As [`ProxySite::start`], in a folder named `name`, with more routes outside of the guard, and the configuration changed by `broken`.
    ///
    /// # Panics
    /// If anything does not start.
    pub async fn with_routes(
        server: ProxyServer,
        name: &str,
        files: &[(&str, &[u8])],
        catalog: HashMap<String, Download>,
        routes: Router,
        broken: impl Fn(String) -> String,
    ) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        // The server's workers are not root.
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).expect("permissions");
        let media = folder.path().join(name);
        for file in [format!("{name}-evil/file"), "outside".to_owned(), "run/.keep".to_owned()] {
            write(&folder.path().join(file), b"outside");
        }
        fs::create_dir_all(&media).expect("a folder");
        for (name, bytes) in files {
            write(&media.join(name), bytes);
        }

        let mapping = mapping(&media);
        let secret = ProxySecret::new(SECRET).expect("a secret");
        let accel = AccelRedirect::new(server.dialect(), mapping.clone(), secret.clone());
        let guard = accel.guard();
        let streamed = || Stream::local(&media).expect("a folder");
        let app = Router::new()
            .route("/accel/{id}", download(gate(&catalog, FirstOf::new(accel.clone()).or(streamed()))))
            .route("/alone/{id}", download(gate(&catalog, accel)))
            .route("/stream/{id}", download(gate(&catalog, streamed())))
            .layer(guard)
            .merge(routes);
        let app = serve_router(app).await;

        let run = folder.path().join("run");
        let proxy = server.start(&run, |listen| {
            let config = ProxyConfig::new(server.dialect(), &mapping, &secret).listen(listen).app(app);
            let config = config.standalone(&run).expect("a plain name").run_as("www-data");
            broken(config.render())
        });
        Self { proxy, app, server, media, _folder: folder }
    }

    /// The server.
    #[must_use]
    pub fn server(&self) -> ProxyServer {
        self.server
    }

    /// Where the proxy listens.
    #[must_use]
    pub fn proxy(&self) -> SocketAddr {
        self.proxy.address()
    }

    /// Where the application listens.
    #[must_use]
    pub fn app(&self) -> SocketAddr {
        self.app
    }

    /// The folder of the files.
    #[must_use]
    pub fn media(&self) -> &Path {
        &self.media
    }

    /// A request through the proxy, on a connection of its own.
    ///
    /// # Panics
    /// If there is no proper answer.
    pub async fn ask(&self, method: &str, target: &str, fields: &[&str]) -> Answer {
        let fields: Vec<_> = fields.iter().map(|&line| line.to_owned()).collect();
        Http1::connect(self.proxy()).await.ask(method, target, &fields).await
    }

    /// A GET through the proxy.
    ///
    /// # Panics
    /// If there is no proper answer.
    pub async fn get(&self, target: &str) -> Answer {
        self.ask("GET", target, &[]).await
    }
}

fn write(path: &Path, bytes: &[u8]) {
    fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
    fs::write(path, bytes).expect("written");
}

fn mapping(media: &Path) -> Mapping {
    Mapping::new([Root::new("/_protected/media", media).expect("a root")]).expect("a mapping")
}

fn gate(
    catalog: &HashMap<String, Download>,
    strategy: impl DeliveryStrategy + 'static,
) -> Gate<(), Download> {
    Gate::builder(catalog.clone())
        .authorizer(|(): &(), download: &Download| {
            if download.raw_filename().is_some_and(|name| name.starts_with(DENIED)) {
                Decision::Deny(Denial::Forbidden)
            } else {
                Decision::Allow
            }
        })
        .strategy(strategy)
        .build()
}
