//! What else an application can serve files with. None of them asks whether the client may have the file.

use std::fs::File;

use actix_web::{App, HttpServer};
use axum::extract::{Path, Request, State};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use axum::serve::ListenerExt as _;
use axum::{Router, body::Body};
use http::{HeaderMap, HeaderValue, header::CONTENT_TYPE};
use http_serve::ChunkedReadFile;
use tokio::net::TcpListener;
use tower_http::services::ServeFile;

use crate::{Files, announced, bound};

/// tower-http's `ServeFile`.
pub(crate) fn serve_file(files: &Files) {
    serve(serve_files(files, "/files"));
}

/// `ServeFile`, a route for each file beneath a path.
pub(crate) fn serve_files(files: &Files, beneath: &str) -> Router {
    let routes = files.names().into_iter().map(|name| (format!("{beneath}/{name}"), files.folder.join(name)));
    routes.fold(Router::new(), |app, (route, path)| app.route_service(&route, ServeFile::new(path)))
}

/// As its documentation shows it, within axum.
pub(crate) fn http_serve(files: &Files) {
    type Read = ChunkedReadFile<bytes::Bytes, Box<dyn std::error::Error + Send + Sync>>;
    async fn file(
        State(folder): State<std::path::PathBuf>,
        Path(name): Path<String>,
        request: Request,
    ) -> Response {
        let read = tokio::task::block_in_place(|| {
            let mut headers = HeaderMap::new();
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("image/png"));
            Read::new(File::open(folder.join(name))?, headers)
        });
        http_serve::serve(read.expect("a file"), &request).map(Body::new)
    }
    serve(Router::new().route("/files/{name}", get(file)).with_state(files.folder.clone()));
}

/// What axum itself costs.
pub(crate) fn nothing() {
    serve(Router::new().route("/files/{name}", get(async || "nothing".into_response())));
}

/// With `TCP_NODELAY`, to be fair: without, small answers wait.
fn serve(app: Router) {
    crate::runtime().block_on(async {
        let listener = TcpListener::from_std(announced(bound())).expect("a listener");
        let listener = listener.tap_io(|stream| {
            let _ = stream.set_nodelay(true);
        });
        tokio::spawn(async { axum::serve(listener, app).await }).await.expect("no panic").expect("served");
    });
}

/// As its documentation shows it.
pub(crate) fn actix_files(files: &Files) {
    let folder = files.folder.clone();
    let app = move || App::new().service(actix_files::Files::new("/files", folder.clone()));
    actix_web::rt::System::new().block_on(async {
        let server = HttpServer::new(app).workers(1);
        server.listen(announced(bound())).expect("a listener").run().await.expect("served");
    });
}
