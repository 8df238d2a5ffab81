//! What the benches share: a gate as an application builds it, and a client that takes every byte.

mod user;

use std::collections::HashMap;
use std::path::Path;

use http::{HeaderMap, HeaderValue, Method, Response};
use secure_download::{
    Body, Decision, DeliveryStrategy, Download, Event, FileKey, Gate, RequestHead, Stream, authorize_with,
    signed_in,
};

pub use self::user::{OWNER, User};

/// A gate over files named by their keys, with an async authorizer and an observer.
#[must_use]
pub fn gate(strategy: impl DeliveryStrategy + 'static, keys: &[&str]) -> Gate<Option<User>, Download> {
    gate_over(strategy, catalog(keys))
}

/// A row for each key, named by it.
pub fn catalog(keys: &[impl AsRef<str>]) -> HashMap<String, Download> {
    keys.iter()
        .filter_map(|key| FileKey::parse(key.as_ref()).ok())
        .map(|key| (key.to_string(), Download::new(key).filename("scan.png").content_type("image/png")))
        .collect()
}

/// A gate over these rows, with an async authorizer and an observer.
#[must_use]
pub fn gate_over(
    strategy: impl DeliveryStrategy + 'static,
    catalog: HashMap<String, Download>,
) -> Gate<Option<User>, Download> {
    let authorizer = authorize_with(|user: &User, _: &Download| {
        let id = user.id;
        async move { Ok(Decision::allow_if(id == 7)) }
    });
    Gate::builder(catalog)
        .authorizer(signed_in(authorizer))
        .strategy(strategy)
        .observer(|event: &Event<'_>| {
            std::hint::black_box(event);
        })
        .build()
}

/// A gate that streams from `root`.
///
/// # Panics
/// If `root` cannot be opened.
#[must_use]
pub fn stream_gate(root: &Path, keys: &[&str]) -> Gate<Option<User>, Download> {
    gate(Stream::local(root).expect("the root is a folder"), keys)
}

/// A request head with one header field, none if the name is empty.
#[must_use]
pub fn head(method: &Method, name: &'static str, value: &'static str) -> RequestHead {
    let mut headers = HeaderMap::new();
    if !name.is_empty() {
        headers.insert(name, HeaderValue::from_static(value));
    }
    RequestHead::new(method, &headers)
}

/// Takes every byte as a framework does, and counts them.
///
/// # Panics
/// If the transfer breaks off.
pub async fn drain(response: Response<Body>) -> usize {
    let mut body = response.into_body();
    let mut count = 0;
    while let Some(chunk) = std::future::poll_fn(|cx| body.poll_chunk(cx)).await {
        count += chunk.expect("the file stays as it is").len();
    }
    count
}
