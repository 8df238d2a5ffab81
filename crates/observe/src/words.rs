//! One word for each decision and each end, the same in logs, traces and metrics.
#![allow(dead_code, reason = "each observer uses its own part")]

use secure_download_core::{Outcome, Reason};

/// Why the gate refused.
pub(crate) fn cause(reason: &Reason) -> &'static str {
    match reason {
        Reason::GoneAway => "gone-away",
        Reason::Method => "method",
        Reason::Route { .. } => "route",
        Reason::NotAdmitted(_) => "not-admitted",
        Reason::UnknownId => "unknown-id",
        Reason::Denied(_) => "denied",
        Reason::UsesSpent => "uses-spent",
        Reason::UsesNotLimited => "uses-not-limited",
        Reason::TooManyDownloads => "too-many-downloads",
        Reason::Observer(_) => "observer-not-ready",
        Reason::Catalog(_) => "catalog-failed",
        Reason::Authorizer(_) => "authorizer-failed",
        Reason::UsageLimit(_) => "usage-limit-failed",
        Reason::Delivery(_) => "delivery-failed",
        _ => "other",
    }
}

/// How a delivery ended, and the bytes that the framework released.
pub(crate) fn outcome(outcome: Outcome) -> (&'static str, Option<u64>) {
    match outcome {
        Outcome::Sent { bytes } => ("sent", Some(bytes)),
        Outcome::Cut { bytes } => ("cut", Some(bytes)),
        Outcome::HandedOff => ("handed-off", None),
        Outcome::Redirected => ("redirected", None),
        _ => ("other", None),
    }
}
