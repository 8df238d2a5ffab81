//! [`granted`]: a grant, to sign with at any moment.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use http::{HeaderMap, Method, Response};
use secure_download::{Body, DeliveryError, DeliveryStrategy, Download, Grant, RequestHead};

use crate::allow_everybody;

#[derive(Clone)]
struct Keep(Arc<Mutex<Option<Grant>>>);

#[async_trait::async_trait]
impl DeliveryStrategy for Keep {
    fn name(&self) -> &'static str {
        "keep"
    }

    async fn deliver(&self, grant: Grant, _: &RequestHead) -> Result<Response<Body>, DeliveryError> {
        *self.0.lock().expect("not poisoned") = Some(grant);
        Ok(Response::new(Body::empty()))
    }
}

/// A grant for `record`, from a gate that grants everything.
///
/// # Panics
/// Never: the gate grants everything.
pub async fn granted(record: Download) -> Grant {
    let keep = Keep(Arc::default());
    let gate = allow_everybody(HashMap::from([("a".to_owned(), record)]), keep.clone());
    let _ = gate.serve(&(), "a", &RequestHead::new(&Method::GET, &HeaderMap::new())).await;
    let grant = keep.0.lock().expect("not poisoned").take();
    grant.expect("granted")
}
