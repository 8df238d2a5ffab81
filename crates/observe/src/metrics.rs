//! [`Metrics`]: counters, a gauge and a histogram.

use secure_download_core::{Event, Observer};

use crate::running::Running;
use crate::words;

/// Tells the recorder of `metrics`. Labels are words of a short list, never who asked or for what.
///
/// | metric | kind | labels |
/// |---|---|---|
/// | `secure_download_granted_total` | counter | |
/// | `secure_download_refused_total` | counter | `status`, `cause` |
/// | `secure_download_declined_total` | counter | `strategy` |
/// | `secure_download_delivered_total` | counter | `strategy`, `outcome` |
/// | `secure_download_bytes_total` | counter, bytes that the framework released | `strategy` |
/// | `secure_download_running` | gauge, granted and not ended | |
/// | `secure_download_duration_seconds` | histogram, from the request to the end | `strategy`, `outcome` |
///
/// ```
/// use secure_download_core::{Decision, DeliveryStrategy, Download, Gate, signed_in};
/// use secure_download_observe::Metrics;
/// use std::collections::HashMap;
///
/// struct User;
///
/// fn observed(files: HashMap<String, Download>, strategy: impl DeliveryStrategy + 'static) -> Gate<Option<User>, Download> {
///     Gate::builder(files)
///         .authorizer(signed_in(|_: &User, _: &Download| Decision::Allow))
///         .strategy(strategy)
///         .observer(Metrics::new())
///         .build()
/// }
/// ```
#[derive(Debug, Default)]
pub struct Metrics {
    running: Running<()>,
}

impl Metrics {
    /// An observer for whatever recorder is installed.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
}

impl Observer for Metrics {
    fn observe(&self, event: &Event<'_>) {
        match event {
            Event::Granted { audit_id, .. } => {
                self.running.begin(*audit_id, ());
                metrics::counter!("secure_download_granted_total").increment(1);
                metrics::gauge!("secure_download_running").increment(1.0);
            }
            Event::Declined { strategy, .. } => {
                metrics::counter!("secure_download_declined_total", "strategy" => *strategy).increment(1);
            }
            Event::Delivered { audit_id, strategy, outcome, duration, .. } => {
                let (outcome, bytes) = words::outcome(*outcome);
                self.running.end(*audit_id);
                metrics::gauge!("secure_download_running").decrement(1.0);
                metrics::counter!(
                    "secure_download_delivered_total", "strategy" => *strategy, "outcome" => outcome
                )
                .increment(1);
                if let Some(bytes) = bytes {
                    metrics::counter!("secure_download_bytes_total", "strategy" => *strategy)
                        .increment(bytes);
                }
                metrics::histogram!(
                    "secure_download_duration_seconds", "strategy" => *strategy, "outcome" => outcome
                )
                .record(duration.as_secs_f64());
            }
            Event::Refused { audit_id, status, reason, .. } => {
                let cause = words::cause(reason);
                if self.running.end(*audit_id).is_some() {
                    metrics::gauge!("secure_download_running").decrement(1.0);
                }
                let status = status.as_str().to_owned();
                metrics::counter!("secure_download_refused_total", "status" => status, "cause" => cause)
                    .increment(1);
            }
            _ => {}
        }
    }
}
