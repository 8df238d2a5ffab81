//! What proxies are told of long bodies.

use std::collections::HashMap;

use async_trait::async_trait;
use bytes::Bytes;
use futures::executor::block_on;
use http::{HeaderMap, Method, Response};
use secure_download_core::{
    Body, BoxError, Decision, Delivery, DeliveryError, DeliveryStrategy, Download, FileKey, Gate, Grant,
    RequestHead,
};

/// Announces so many bytes, and sends none of them.
struct Announcing {
    length: u64,
    delivery: Option<Delivery>,
}

#[async_trait]
impl DeliveryStrategy for Announcing {
    fn name(&self) -> &'static str {
        "announcing"
    }

    async fn deliver(&self, _: Grant, _: &RequestHead) -> Result<Response<Body>, DeliveryError> {
        let body = Body::stream(self.length, futures::stream::pending::<Result<Bytes, BoxError>>());
        let mut response = Response::new(body);
        if let Some(delivery) = self.delivery {
            response.extensions_mut().insert(delivery);
        }
        Ok(response)
    }
}

/// nginx stores what its client does not take, up to 1 GiB, and then reads nothing until the client has caught up.
#[test]
fn nginx_is_told_not_to_store_long_bodies() {
    const MIB: u64 = 1 << 20;
    for (method, length, delivery, told) in [
        (Method::GET, 1, None, None),
        (Method::GET, 16 * MIB, None, None),
        (Method::GET, 16 * MIB + 1, None, Some("no")),
        (Method::GET, 3 << 30, None, Some("no")),
        (Method::HEAD, 3 << 30, None, None),
        (Method::GET, 3 << 30, Some(Delivery::HandedOff), None),
    ] {
        let file = Download::new(FileKey::parse("a").expect("a key"));
        let gate = Gate::builder(HashMap::from([("a".to_owned(), file)]))
            .authorizer(|(): &(), _: &Download| Decision::Allow)
            .strategy(Announcing { length, delivery })
            .build();
        let response = block_on(gate.serve(&(), "a", &RequestHead::new(&method, &HeaderMap::new())));
        let found = response.headers().get("x-accel-buffering").map(|value| value.to_str().expect("ASCII"));
        assert_eq!(found, told, "{method} {length} {delivery:?}");
    }
}
