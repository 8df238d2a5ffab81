//! [`Tracing`]: spans and events.

use std::fmt;

use secure_download_core::{Event, Observer};
use tracing::field::Empty;
use tracing::{Level, Span};

use crate::RedactionKey;
use crate::running::Running;
use crate::words;

/// Tells `tracing`, under the target `secure_download`.
///
/// A granted download has a span `download`, a child of the span that the request is handled in, with `audit_id`,
/// `subject`, `id`, `key` and `method`, and at its end `strategy`, `outcome`, `bytes` and `duration_ms`. Its events are within:
///
/// | event | level | fields |
/// |---|---|---|
/// | `granted` | info | |
/// | `declined` | info | `strategy`, `reason` |
/// | `delivered` | info; a cut one is the client's doing | `strategy`, `status`, `outcome`, `bytes`, `duration_ms` |
/// | `refused` | info; warn for 5xx | `audit_id`, `subject`, `id`, `status`, `cause`, `reason` |
///
/// ```
/// use secure_download_core::{Decision, DeliveryStrategy, Download, Gate, signed_in};
/// use secure_download_observe::Tracing;
/// use std::collections::HashMap;
///
/// struct User;
///
/// fn observed(files: HashMap<String, Download>, strategy: impl DeliveryStrategy + 'static) -> Gate<Option<User>, Download> {
///     Gate::builder(files)
///         .authorizer(signed_in(|_: &User, _: &Download| Decision::Allow))
///         .strategy(strategy)
///         .observer(Tracing::new())
///         .build()
/// }
/// ```
#[derive(Default)]
pub struct Tracing {
    running: Running<Span>,
    key: RedactionKey,
}

impl Tracing {
    /// An observer for any subscriber.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Hashes ids and words as long as a token under `key`, in place of a key of this process.
    #[must_use]
    pub fn redaction_key(mut self, key: RedactionKey) -> Self {
        self.key = key;
        self
    }
}

impl Observer for Tracing {
    fn observe(&self, event: &Event<'_>) {
        match event {
            Event::Granted { audit_id, subject, id, key, method, .. } => {
                let id = id.map(|id| self.key.id(id));
                let span = tracing::info_span!(
                    target: "secure_download",
                    "download",
                    audit_id = %audit_id,
                    subject = *subject,
                    id = id.as_deref(),
                    key = key.as_str(),
                    method = method.as_str(),
                    strategy = Empty,
                    outcome = Empty,
                    bytes = Empty,
                    duration_ms = Empty,
                );
                tracing::info!(target: "secure_download", parent: &span, "granted");
                self.running.begin(*audit_id, span);
            }
            Event::Declined { audit_id, strategy, reason, .. } => {
                let span = self.running.of(*audit_id).unwrap_or_else(Span::none);
                let reason = self.key.text(reason);
                tracing::info!(target: "secure_download", parent: &span, strategy, reason = reason.as_ref(), "declined");
            }
            Event::Delivered { audit_id, strategy, status, outcome, duration, .. } => {
                let span = self.running.end(*audit_id).unwrap_or_else(Span::none);
                let (outcome, bytes) = words::outcome(*outcome);
                let duration_ms = duration.as_secs_f64() * 1000.0;
                span.record("strategy", *strategy)
                    .record("outcome", outcome)
                    .record("duration_ms", duration_ms);
                if let Some(bytes) = bytes {
                    span.record("bytes", bytes);
                }
                tracing::info!(
                    target: "secure_download",
                    parent: &span,
                    strategy,
                    status = status.map(|status| status.as_u16()),
                    outcome,
                    bytes,
                    duration_ms,
                    "delivered"
                );
            }
            Event::Refused { audit_id, subject, id, status, reason, .. } => {
                let span = self.running.end(*audit_id);
                let parent = span.as_ref().and_then(Span::id).or_else(|| Span::current().id());
                let cause = words::cause(reason);
                let told = reason.to_string();
                let told = self.key.text(&told);
                let id = id.map(|id| self.key.id(id));
                macro_rules! refused {
                    ($level:expr) => {
                        tracing::event!(
                            target: "secure_download",
                            parent: parent,
                            $level,
                            audit_id = %audit_id,
                            subject = *subject,
                            id = id.as_deref(),
                            status = status.as_u16(),
                            cause,
                            reason = told.as_ref(),
                            "refused"
                        )
                    };
                }
                if status.is_server_error() { refused!(Level::WARN) } else { refused!(Level::INFO) }
            }
            _ => {}
        }
    }
}

impl fmt::Debug for Tracing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tracing")
    }
}
