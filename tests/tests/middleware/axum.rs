//! Through the layers of tower-http.

use std::io::{self, Write};
use std::net::SocketAddr;

use axum::Router;
use axum::extract::State;
use axum::routing::{get, post};
use http::header::{COOKIE, HeaderValue};
use http::{Method, StatusCode};
use secure_download::Interstitial;
use secure_download::axum::{compressible, download, interstitial};
use system_tests::serve_router;
use tower_http::compression::CompressionLayer;
use tower_http::cors::{AllowOrigin, CorsLayer};
use tower_http::sensitive_headers::SetSensitiveRequestHeadersLayer;
use tower_http::timeout::TimeoutLayer;
use tower_http::trace::{DefaultMakeSpan, DefaultOnRequest, DefaultOnResponse, TraceLayer};
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::fmt::MakeWriter;

use crate::site::{
    Log, ORIGIN, Site, TIMEOUT, check_compression, check_cors, check_interstitial, check_log, check_timeout,
    text,
};

fn app(site: &Site) -> Router {
    Router::new()
        .route("/files/{id}", download::<(), _>(site.streamed.clone()))
        .route("/handed-off/{id}", download::<(), _>(site.handed_off.clone()))
        .route("/redirected/{id}", download::<(), _>(site.redirected.clone()))
        .route("/redeem", post(async |State(site): State<Site>| site.redeem().await))
        .route("/page", get(async || text()))
        .with_state(site.clone())
}

async fn served(app: Router) -> SocketAddr {
    serve_router(app).await
}

fn cors_layer() -> CorsLayer {
    CorsLayer::new()
        .allow_origin(AllowOrigin::exact(HeaderValue::from_static(ORIGIN)))
        .allow_methods([Method::GET])
        .allow_headers([http::header::RANGE])
        .expose_headers([http::header::CONTENT_RANGE, http::header::ETAG])
}

fn timeout_layer() -> TimeoutLayer {
    TimeoutLayer::with_status_code(StatusCode::REQUEST_TIMEOUT, TIMEOUT)
}

#[tokio::test]
async fn compression() {
    let layer = CompressionLayer::new().compress_when(compressible);
    check_compression(served(app(&Site::new()).layer(layer)).await).await;
}

#[tokio::test]
async fn other_sites_meet_one_page() {
    let site = Site::new();
    let files = Router::new()
        .route("/files/{id}", download::<(), _>(site.streamed.clone()))
        .layer(interstitial(Interstitial::new()));
    check_interstitial(served(app(&site).nest("/base", files)).await).await;
}

#[tokio::test]
async fn cors() {
    check_cors(served(app(&Site::new()).layer(cors_layer())).await).await;
}

#[tokio::test]
async fn timeout() {
    check_timeout(served(app(&Site::new()).layer(timeout_layer())).await).await;
}

#[tokio::test]
async fn all_together() {
    let app = app(&Site::new())
        .layer(timeout_layer())
        .layer(CompressionLayer::new().compress_when(compressible))
        // What is compressed already is not compressed again.
        .layer(CompressionLayer::new().compress_when(compressible))
        .layer(cors_layer())
        .layer(TraceLayer::new_for_http());
    let address = served(app).await;
    check_compression(address).await;
    check_cors(address).await;
    check_timeout(address).await;
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.add(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Log {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

/// Everything that `TraceLayer` can be made to log. The application keeps its own cookies out of it, and that is all it does.
#[tokio::test]
async fn logs() {
    let log = Log::default();
    let subscriber =
        tracing_subscriber::fmt().with_max_level(LevelFilter::TRACE).with_writer(log.clone()).finish();
    let _here = tracing_subscriber::util::SubscriberInitExt::set_default(subscriber);
    let site = Site::new();
    let level = tower_http::trace::DefaultOnFailure::new();
    let trace = TraceLayer::new_for_http()
        .make_span_with(DefaultMakeSpan::new().include_headers(true))
        .on_request(DefaultOnRequest::new())
        .on_response(DefaultOnResponse::new().include_headers(true))
        .on_failure(level);
    let app = app(&site)
        .layer(trace)
        .layer(SetSensitiveRequestHeadersLayer::new([COOKIE]))
        .layer(site.guard.clone());
    check_log(served(app).await, &log).await;
}
