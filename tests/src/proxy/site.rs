//! [`ProxySite`]: an application behind a proxy, both over the same folders.

use std::collections::HashMap;
use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use axum::Router;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::Response;
use axum::routing::any;
use secure_download::axum::download;
use secure_download::doctor::{DOCTOR_PATH, Doctor, DoctorToken};
use secure_download::{
    AccelRedirect, Decision, DeliveryStrategy, Denial, Dialect, Download, FirstOf, Gate, Mapping,
    ProxyConfig, ProxySecret, Root, Stream,
};

use crate::{Answer, Http1, ProxyServer, Running, serve_router};

/// What the proxy proves itself with.
pub const SECRET: &str = "0123456789abcdef0123456789abcdef";

/// What opens the doctor, once.
pub const DOCTOR_TOKEN: &str = "fedcba9876543210fedcba9876543210";

/// How many examinations one site bears.
const EXAMINATIONS: usize = 8;

/// What opens the doctor of a [`ProxySite`] for the examination of this number, below eight.
#[must_use]
pub fn doctor_token(number: usize) -> String {
    if number == 0 { DOCTOR_TOKEN.to_owned() } else { format!("{DOCTOR_TOKEN}{number}") }
}

/// Downloads whose name begins so are denied.
const DENIED: &str = "denied";

/// An application, its proxy, and their folders. `/accel/{id}` hands off, else streams; `/alone/{id}` only hands off;
/// `/stream/{id}` streams.
pub struct ProxySite {
    // Stopped before its folder goes.
    proxy: Option<Running>,
    start: Box<dyn Fn() -> Running + Send + Sync>,
    app: SocketAddr,
    server: ProxyServer,
    media: PathBuf,
    _folder: tempfile::TempDir,
}

/// A site that is not started yet.
pub struct SiteBuilder {
    server: ProxyServer,
    dialect: Dialect,
    name: &'static str,
    files: Vec<(String, Vec<u8>)>,
    catalog: HashMap<String, Download>,
    routes: Router,
    guarded: bool,
    configured: Configure,
    broken: Box<dyn Fn(String) -> String + Send + Sync>,
}

type Configure = Box<dyn for<'a> Fn(ProxyConfig<'a>) -> ProxyConfig<'a> + Send + Sync>;

impl SiteBuilder {
    /// A file to be delivered.
    #[must_use]
    pub fn file(mut self, name: &str, bytes: &[u8]) -> Self {
        self.files.push((name.to_owned(), bytes.to_vec()));
        self
    }

    /// What the application knows about files.
    #[must_use]
    pub fn catalog(mut self, catalog: HashMap<String, Download>) -> Self {
        self.catalog = catalog;
        self
    }

    /// The name of the files' folder.
    #[must_use]
    pub fn folder(mut self, name: &'static str) -> Self {
        self.name = name;
        self
    }

    /// More routes, outside of the guard.
    #[must_use]
    pub fn routes(mut self, routes: Router) -> Self {
        self.routes = routes;
        self
    }

    /// Without the application's guard.
    #[must_use]
    pub fn unguarded(mut self) -> Self {
        self.guarded = false;
        self
    }

    /// With an application that speaks to another proxy.
    #[must_use]
    pub fn dialect(mut self, dialect: Dialect) -> Self {
        self.dialect = dialect;
        self
    }

    /// With more options of the configuration.
    #[must_use]
    pub fn configured(
        mut self,
        configured: impl for<'a> Fn(ProxyConfig<'a>) -> ProxyConfig<'a> + Send + Sync + 'static,
    ) -> Self {
        self.configured = Box::new(configured);
        self
    }

    /// With a configuration that somebody changed.
    #[must_use]
    pub fn broken(mut self, broken: impl Fn(String) -> String + Send + Sync + 'static) -> Self {
        self.broken = Box::new(broken);
        self
    }

    /// Starts application and proxy.
    ///
    /// # Panics
    /// If anything does not start.
    pub async fn start(self) -> ProxySite {
        let folder = tempfile::tempdir().expect("a folder");
        // The server's workers are not root.
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).expect("permissions");
        let media = folder.path().join(self.name);
        for file in [format!("{}-evil/file", self.name), "outside".to_owned(), "run/.keep".to_owned()] {
            write(&folder.path().join(file), b"outside");
        }
        fs::create_dir_all(&media).expect("a folder");
        for (name, bytes) in &self.files {
            write(&media.join(name), bytes);
        }

        let mapping = mapping(&media);
        let secret = ProxySecret::new(SECRET).expect("a secret");
        let accel = AccelRedirect::new(self.dialect, mapping.clone(), secret.clone());
        let expires_at = SystemTime::now() + Duration::from_secs(600);
        let doctor = |number| {
            let token = DoctorToken::new(doctor_token(number), expires_at).expect("a token");
            // What it adds for the proxy alone is no header that a client misses.
            Doctor::new(&accel.clone().tell_audit_id(), token)
        };
        let doctors: Arc<[Doctor]> = (0..EXAMINATIONS).map(doctor).collect();
        let guard = accel.guard();
        // As the proxies do: by length and date.
        let streamed = || Stream::local(&media).expect("a folder").replicated();
        let mut app = Router::new()
            .route("/accel/{id}", download(gate(&self.catalog, FirstOf::new(accel.clone()).or(streamed()))))
            .route("/alone/{id}", download(gate(&self.catalog, accel)))
            .route("/stream/{id}", download(gate(&self.catalog, streamed())))
            .route(&format!("{DOCTOR_PATH}/{{*probe}}"), any(move |request| examined(doctors, request)));
        if self.guarded {
            app = app.layer(guard);
        }
        let app = serve_router(app.merge(self.routes)).await;

        let run = folder.path().join("run");
        let start = move || {
            self.server.start(&run, |listen| {
                let config =
                    ProxyConfig::new(self.server.dialect(), &mapping, &secret).listen(listen).app(app);
                // The newest Caddy knows it.
                let config =
                    if self.server == ProxyServer::NewestCaddy { config.idle_limits() } else { config };
                let config = (self.configured)(config);
                let config = config.standalone(&run).expect("a plain name").run_as("www-data");
                (self.broken)(config.render())
            })
        };
        ProxySite {
            proxy: Some(start()),
            start: Box::new(start),
            app,
            server: self.server,
            media,
            _folder: folder,
        }
    }
}

impl std::fmt::Debug for SiteBuilder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SiteBuilder").field("server", &self.server).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for ProxySite {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ProxySite")
            .field("server", &self.server)
            .field("proxy", &self.proxy)
            .finish_non_exhaustive()
    }
}

impl ProxySite {
    /// A site behind this server, configured by the library.
    #[must_use]
    pub fn behind(server: ProxyServer) -> SiteBuilder {
        SiteBuilder {
            server,
            dialect: server.dialect(),
            name: "media",
            files: Vec::new(),
            catalog: HashMap::new(),
            routes: Router::new(),
            guarded: true,
            configured: Box::new(|config| config),
            broken: Box::new(|text| text),
        }
    }

    /// The server.
    #[must_use]
    pub fn server(&self) -> ProxyServer {
        self.server
    }

    /// Where the proxy listens.
    ///
    /// # Panics
    /// If it is stopped.
    #[must_use]
    pub fn proxy(&self) -> SocketAddr {
        self.proxy.as_ref().expect("it runs").address()
    }

    /// Stops the proxy, whatever it is doing.
    pub fn stop_proxy(&mut self) {
        self.proxy = None;
    }

    /// Starts it again, at another address.
    ///
    /// # Panics
    /// If it does not start.
    pub fn start_proxy(&mut self) {
        self.proxy = Some((self.start)());
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

/// Each doctor answers in its own session only.
async fn examined(doctors: Arc<[Doctor]>, request: Request) -> Response {
    let mut last = Response::default();
    for doctor in doctors.iter() {
        let answer = doctor.answer(request.method(), request.uri().path(), request.headers()).await;
        last = answer.map(axum::body::Body::new);
        // Without a session the answer is 404 and empty.
        if last.status() != StatusCode::NOT_FOUND || last.headers().contains_key(CONTENT_TYPE) {
            break;
        }
    }
    last
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
