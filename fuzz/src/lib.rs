//! What the targets share: a gate over one file in memory.

use std::collections::HashMap;
use std::time::SystemTime;

use async_trait::async_trait;
use bytes::Bytes;
use futures::executor::block_on;
use http::{HeaderMap, Method, Response};
use secure_download_core::{
    Body, Decision, DeliveryError, DeliveryStrategy, Download, Gate, Grant, Representation, RequestHead, Selection,
};

/// Sends one file, whatever is asked for.
pub struct Memory {
    pub bytes: Bytes,
    pub file: Representation,
    pub now: SystemTime,
}

#[async_trait]
impl DeliveryStrategy for Memory {
    fn name(&self) -> &'static str {
        "memory"
    }

    async fn deliver(&self, grant: Grant, head: &RequestHead) -> Result<Response<Body>, DeliveryError> {
        Ok(match grant.plan().select(head, &self.file, self.now) {
            Selection::Answered(response) => response,
            Selection::Send(sending) => {
                let bytes = self.bytes.clone();
                let body = Body::parts(sending.parts().clone(), move |range| {
                    let piece = bytes.slice(range.start as usize..range.end as usize);
                    futures::stream::iter([Ok(piece)])
                });
                sending.with_body(body)
            }
        })
    }
}

/// The answer to a request for `download`, and its whole body.
pub fn ask(
    strategy: impl DeliveryStrategy + 'static,
    download: &Download,
    method: &Method,
    headers: &HeaderMap,
) -> (Response<()>, Vec<u8>) {
    let gate = Gate::builder(HashMap::<String, Download>::new())
        .authorizer(|(): &(), _: &Download| Decision::Allow)
        .strategy(strategy)
        .build();
    let head = RequestHead::new(method, headers);
    let (parts, mut body) = block_on(gate.serve_record(&(), Some(download), &head)).into_parts();
    let mut bytes = Vec::new();
    while let Some(chunk) = block_on(std::future::poll_fn(|cx| body.poll_chunk(cx))) {
        bytes.extend_from_slice(&chunk.expect("whole"));
    }
    (Response::from_parts(parts, ()), bytes)
}
