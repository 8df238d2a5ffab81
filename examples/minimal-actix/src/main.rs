//! The smallest complete app: alice may download `media/hello.txt`, nobody else may. It listens on 127.0.0.1:8000 and says nothing.
//!
//! `curl -H 'Authorization: Bearer alice-token' http://127.0.0.1:8000/files/1`

use actix_web::{App, FromRequest, HttpRequest, dev::Payload, error::ErrorUnauthorized, http::header};
use secure_download::actix::{DownloadServer, download};
use secure_download::{Decision, Download, FileKey, Gate, Stream, signed_in};
use std::{collections::HashMap, error::Error, future::Ready, future::ready, net::TcpListener};

struct User(&'static str);

impl FromRequest for User {
    type Error = actix_web::Error;
    type Future = Ready<Result<Self, Self::Error>>;
    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let token = request.headers().get("authorization").map(header::HeaderValue::as_bytes);
        let known = token == Some(b"Bearer alice-token");
        ready(if known { Ok(User("alice")) } else { Err(ErrorUnauthorized("Who are you?")) })
    }
}

#[actix_web::main]
async fn main() -> Result<(), Box<dyn Error>> {
    std::fs::create_dir_all("media")?;
    std::fs::write("media/hello.txt", "Hello, alice.\n")?;

    let file = Download::new(FileKey::parse("hello.txt")?)
        .filename("hello.txt")
        .content_type("text/plain; charset=utf-8");
    let gate = Gate::builder(HashMap::from([("1".to_owned(), file)]))
        .authorizer(signed_in(|user: &User, _: &Download| Decision::allow_if(user.0 == "alice")))
        .strategy(Stream::local("media")?)
        .build();

    let app = move || App::new().route("/files/{id}", download::<Option<User>>(gate.clone()));
    Ok(DownloadServer::new(app).listen(TcpListener::bind("127.0.0.1:8000")?)?.await?)
}
