//! Through the middleware of actix-web.

use std::net::{SocketAddr, TcpListener};

use actix_cors::Cors;
use actix_web::body::MessageBody;
use actix_web::dev::{ServerHandle, ServiceRequest, ServiceResponse};
use actix_web::error::ErrorRequestTimeout;
use actix_web::middleware::{Compress, Logger, Next, from_fn};
use actix_web::web::{self, Data};
use actix_web::{App, Error, HttpResponse};
use secure_download::Interstitial;
use secure_download_actix::{Delivered, DownloadServer, download, except_downloads, interstitial};

use crate::site::{
    Log, ORIGIN, Site, TIMEOUT, check_compression, check_cors, check_interstitial, check_log, check_timeout,
    text,
};

/// A server that ends with the test.
struct Served {
    address: SocketAddr,
    server: ServerHandle,
}

impl Drop for Served {
    fn drop(&mut self) {
        drop(self.server.stop(false));
    }
}

/// Serves the site as the app that `$wrapped` makes of `$app`.
macro_rules! serve {
    ($site:ident, $app:ident => $wrapped:expr) => {{
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let app = move || {
            let $app = App::new()
                .app_data(Data::new($site.clone()))
                .route("/files/{id}", download::<()>($site.streamed.clone()))
                .route("/handed-off/{id}", download::<()>($site.handed_off.clone()))
                .route("/redirected/{id}", download::<()>($site.redirected.clone()))
                .route("/redeem", web::post().to(async |site: Data<Site>| Delivered(site.redeem().await)))
                .route(
                    "/page",
                    web::get().to(async || HttpResponse::Ok().content_type("text/plain").body(text())),
                );
            $wrapped
        };
        let server = DownloadServer::new(app).configure(|builder| builder.workers(1).disable_signals());
        let server = server.listen(listener).expect("a server");
        let served = Served { address, server: server.handle() };
        actix_web::rt::spawn(server);
        served
    }};
}

#[actix_web::test]
async fn compression() {
    let site = Site::new();
    let served = serve!(site, app => app.wrap(except_downloads(Compress::default())));
    check_compression(served.address).await;
}

#[actix_web::test]
async fn other_sites_meet_one_page() {
    let site = Site::new();
    let served = serve!(site, app => {
        let files = web::scope("/base").wrap(interstitial(Interstitial::new()));
        app.service(files.route("/files/{id}", download::<()>(site.streamed.clone())))
    });
    check_interstitial(served.address).await;
}

fn cors_middleware() -> Cors {
    Cors::default()
        .allowed_origin(ORIGIN)
        .allowed_methods(["GET"])
        .allowed_header("range")
        .expose_headers(["content-range", "etag"])
}

#[actix_web::test]
async fn cors() {
    let site = Site::new();
    let served = serve!(site, app => app.wrap(cors_middleware()));
    check_cors(served.address).await;
}

#[actix_web::test]
async fn timeout() {
    let site = Site::new();
    let served = serve!(site, app => app.wrap(from_fn(give_up)));
    check_timeout(served.address).await;
}

/// As applications write it: actix-web has no middleware for this.
#[expect(clippy::future_not_send, reason = "a worker of actix is one thread")]
async fn give_up<B: MessageBody>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<B>, Error> {
    let answer = tokio::time::timeout(TIMEOUT, next.call(request)).await;
    answer.unwrap_or_else(|_| Err(ErrorRequestTimeout("too slow")))
}

#[actix_web::test]
async fn all_together() {
    let site = Site::new();
    let served = serve!(site, app => app
        .wrap(from_fn(give_up))
        .wrap(except_downloads(Compress::default()))
        // What is compressed already is not compressed again.
        .wrap(except_downloads(Compress::default()))
        .wrap(cors_middleware())
        .wrap(Logger::default()));
    check_compression(served.address).await;
    check_cors(served.address).await;
    check_timeout(served.address).await;
}

struct Logging(Log);

impl log::Log for Logging {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        self.0.add(format!("{} {}\n", record.target(), record.args()).as_bytes());
    }

    fn flush(&self) {}
}

/// The lines of `Logger`, and everything else in this process that is logged at any level.
#[actix_web::test]
async fn logs() {
    let log = Log::default();
    log::set_boxed_logger(Box::new(Logging(log.clone()))).expect("the only one");
    log::set_max_level(log::LevelFilter::Trace);
    let site = Site::new();
    let guard = site.guard.clone();
    let served = serve!(site, app => app.wrap(Logger::default()).wrap(guard.clone()));
    check_log(served.address, &log).await;
}
