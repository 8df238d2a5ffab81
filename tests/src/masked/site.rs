//! [`MaskedSite`]: an application behind a proxy that fetches from a bucket.

use std::collections::HashMap;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::{Duration, SystemTime};

use axum::Router;
use http::Method;
use object_store::ObjectStoreExt as _;
use secure_download::axum::download;
use secure_download::doctor::{DOCTOR_PATH, Doctor, DoctorToken};
use secure_download::{
    BucketUpstream, Credentials, Decision, DeliveryStrategy, Dialect, Download, FileKey, Gate, MaskedBucket,
    ProxyConfig, ProxySecret, S3Bucket, S3Signer, Stream, UrlSigner as _,
};

use super::{CertificateAuthority, NameServer, TlsBucket};
use crate::{
    Answer, DOCTOR_TOKEN, Http1, ProxyServer, Running, S3Server, SECRET, fetch, grant, serve_router,
};

/// The name under which the proxy finds the bucket. No client may ever see it.
pub const BUCKET_HOST: &str = "bucket.store.test";

/// A proxy that can fetch from a bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MaskingProxy {
    /// Debian's nginx.
    Nginx,
    /// With the headers-more module.
    NginxHeadersMore,
    /// Debian's Caddy, 2.6.
    Caddy,
    /// The newest Caddy.
    NewestCaddy,
}

impl MaskingProxy {
    /// Each of them.
    pub const ALL: [Self; 4] = [Self::Nginx, Self::NginxHeadersMore, Self::Caddy, Self::NewestCaddy];

    fn server(self) -> ProxyServer {
        match self {
            Self::Nginx | Self::NginxHeadersMore => ProxyServer::Nginx,
            Self::Caddy => ProxyServer::Caddy,
            Self::NewestCaddy => ProxyServer::NewestCaddy,
        }
    }

    /// How it is spoken to.
    #[must_use]
    pub fn dialect(self) -> Dialect {
        self.server().dialect()
    }
}

/// Proxy, application, bucket and name server. `/masked/{id}` is fetched by the proxy, `/stream/{id}` streamed by the
/// application.
#[derive(Debug)]
pub struct MaskedSite {
    // Stopped before its folder goes.
    proxy: Running,
    app: SocketAddr,
    /// What the proxy fetches from.
    pub bucket: TlsBucket,
    /// Where [`MaskedSite::bucket`] listens.
    pub bucket_address: SocketAddr,
    /// What is behind [`MaskedSite::bucket`].
    pub store: S3Server,
    /// Says where the bucket is.
    pub names: NameServer,
    /// Whom the proxy trusts.
    pub authority: CertificateAuthority,
    folder: tempfile::TempDir,
}

impl MaskedSite {
    /// Starts everything. More routes are added to the application, outside of the guard.
    ///
    /// # Panics
    /// If anything does not start.
    pub async fn start(proxy: MaskingProxy, catalog: HashMap<String, Download>, routes: Router) -> Self {
        Self::start_broken(proxy, catalog, routes, |text| text).await
    }

    /// The same, with a configuration that somebody changed.
    ///
    /// # Panics
    /// If anything does not start.
    pub async fn start_broken(
        proxy: MaskingProxy,
        catalog: HashMap<String, Download>,
        routes: Router,
        broken: impl Fn(String) -> String,
    ) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        // The server's workers are not root.
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).expect("permissions");
        let run = folder.path().join("run");
        fs::create_dir(&run).expect("a folder");
        let authority = CertificateAuthority::new();
        let trusted = folder.path().join("authority.pem");
        fs::write(&trusted, authority.pem()).expect("written");

        let store = S3Server::start().await;
        let names = NameServer::start(Ipv4Addr::LOCALHOST).await;
        let tls = authority.server(BUCKET_HOST);
        let (bucket, bucket_address) = TlsBucket::start((Ipv4Addr::LOCALHOST, 0), tls, store.address()).await;

        let secret = ProxySecret::new(SECRET).expect("a secret");
        let origin = format!("https://{BUCKET_HOST}:{}", bucket_address.port());
        let upstream = BucketUpstream::new("/_bucket", &origin).expect("an origin");
        let upstream = upstream.trusted(&trusted).expect("a plain name").resolver(names.address());
        let masked =
            MaskedBucket::new(proxy.dialect(), upstream.clone(), signer(&store, &origin), secret.clone());
        let masked = masked.expect("a proxy that can fetch");
        let guard = masked.guard();
        let token = DoctorToken::new(DOCTOR_TOKEN, SystemTime::now() + Duration::from_secs(600));
        let doctor = Doctor::for_bucket(&masked, token.expect("a token"));
        let app = Router::new()
            .route_service(&format!("{DOCTOR_PATH}/{{*probe}}"), doctor)
            .route("/masked/{id}", download(gate(&catalog, masked)))
            .route("/stream/{id}", download(gate(&catalog, Stream::object_store(store.store()))))
            .layer(guard);
        let app = serve_router(app.merge(routes)).await;

        let proxy =
            proxy.server().start(&run, |listen| broken(render(proxy, &upstream, &secret, &run, listen, app)));
        Self { proxy, app, bucket, bucket_address, store, names, authority, folder }
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

    /// Puts an object.
    ///
    /// # Panics
    /// If the store does not take it.
    pub async fn put(&self, key: &str, bytes: &[u8]) {
        let path = object_store::path::Path::parse(key).expect("a path");
        self.store.store().put(&path, bytes.to_vec().into()).await.expect("stored");
    }

    /// A request through the proxy, on a connection of its own.
    ///
    /// # Panics
    /// If there is no proper answer.
    pub async fn ask(&self, method: &str, target: &str, fields: &[&str]) -> Answer {
        let fields: Vec<_> = fields.iter().map(|&line| line.to_owned()).collect();
        Http1::connect(self.proxy.address()).await.ask(method, target, &fields).await
    }

    /// What the bucket itself answers to a GET with a signed URL.
    ///
    /// # Panics
    /// If there is no proper answer.
    pub async fn ask_bucket(&self, key: &str, fields: &[&str]) -> Answer {
        let grant = grant(&Download::new(FileKey::parse(key).expect("a key"))).await;
        let signer = signer(&self.store, &self.store.endpoint());
        let url = signer.sign(&grant, &Method::GET, Duration::from_secs(60), SystemTime::now()).await;
        fetch("GET", url.expect("signed").expose(), fields).await
    }

    /// Everything that the proxy wrote: its configuration apart, every file in its folder.
    ///
    /// # Panics
    /// If the folder cannot be read.
    #[must_use]
    pub fn written(&self) -> String {
        let files = fs::read_dir(self.folder.path().join("run")).expect("a folder");
        let files = files.map(|file| file.expect("a file").path());
        let files = files.filter(|file| file.is_file() && !file.ends_with("proxy.conf"));
        files.map(|file| String::from_utf8_lossy(&fs::read(file).expect("read")).into_owned()).collect()
    }
}

fn signer(store: &S3Server, origin: &str) -> S3Signer {
    let (bucket, access, secret) = store.names();
    let bucket = S3Bucket::at(origin, "us-east-1", bucket).expect("a bucket");
    S3Signer::new(bucket, Credentials::new(access, secret).expect("complete"))
}

fn render(
    proxy: MaskingProxy,
    upstream: &BucketUpstream,
    secret: &ProxySecret,
    run: &Path,
    listen: SocketAddr,
    app: SocketAddr,
) -> String {
    let config = ProxyConfig::for_bucket(proxy.dialect(), upstream, secret).expect("a proxy that can fetch");
    let config = config.listen(listen).app(app);
    let config = if proxy == MaskingProxy::NginxHeadersMore { config.headers_more() } else { config };
    config.standalone(run).expect("a plain name").run_as("www-data").render()
}

fn gate(
    catalog: &HashMap<String, Download>,
    strategy: impl DeliveryStrategy + 'static,
) -> Gate<(), Download> {
    Gate::builder(catalog.clone())
        .authorizer(|(): &(), _: &Download| Decision::Allow)
        .strategy(strategy)
        .build()
}
