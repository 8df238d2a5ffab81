//! The smallest complete app: alice may download `media/hello.txt`, nobody else may. It listens on 127.0.0.1:8000 and says nothing.
//!
//! `curl -H 'Authorization: Bearer alice-token' http://127.0.0.1:8000/files/1`

use axum::Router;
use axum::extract::OptionalFromRequestParts;
use axum::http::{HeaderValue, request::Parts};
use secure_download::axum::{download, serve};
use secure_download::{Decision, Download, FileKey, Gate, Stream, signed_in};
use std::{collections::HashMap, convert::Infallible, error::Error};

struct User(&'static str);

impl<S: Sync> OptionalFromRequestParts<S> for User {
    type Rejection = Infallible;
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Option<Self>, Infallible> {
        let token = parts.headers.get("authorization").map(HeaderValue::as_bytes);
        Ok((token == Some(b"Bearer alice-token")).then_some(User("alice")))
    }
}

#[tokio::main]
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

    let app: Router = Router::new().route("/files/{id}", download::<Option<User>, _>(gate));
    Ok(serve(tokio::net::TcpListener::bind("127.0.0.1:8000").await?, app).await?)
}
