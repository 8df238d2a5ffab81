//! [`Reason`]: why the gate refused.

use std::fmt;

use crate::{BoxError, Denial};

/// Why the gate refused. For logs and observers; the client only sees the status.
#[derive(Debug)]
#[non_exhaustive]
pub enum Reason {
    /// The request went away, or a part of the application panicked, before it was decided: nothing was told to the client.
    GoneAway,
    /// The method is neither GET nor HEAD.
    Method,
    /// The path of the route has another number of parameters than it should: a mistake of the application.
    Route {
        /// How many parameters the path has.
        found: usize,
        /// How many this route takes.
        expected: usize,
    },
    /// The authorizer does not admit this subject at all.
    NotAdmitted(Denial),
    /// The catalog has no such record.
    UnknownId,
    /// The authorizer denied this record.
    Denied(Denial),
    /// The record's uses are spent.
    UsesSpent,
    /// The terms insist on a limit on uses, and the gate has none for this record: a mistake of the application.
    UsesNotLimited,
    /// The gate's or the subject's concurrent downloads are at their cap.
    TooManyDownloads,
    /// An observer that every download needs cannot take note of one now; see [`Observer::ready`](crate::Observer::ready).
    Observer(BoxError),
    /// The catalog failed.
    Catalog(BoxError),
    /// The authorizer failed; an error never grants.
    Authorizer(BoxError),
    /// The limit on uses failed; an error never grants.
    UsageLimit(BoxError),
    /// The strategy failed, with a [`DeliveryError`](crate::DeliveryError).
    Delivery(BoxError),
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::GoneAway => f.write_str("the request went away before it was decided"),
            Self::Method => f.write_str("the method is neither GET nor HEAD"),
            Self::Route { found, expected } => write!(
                f,
                "the path has {found} parameters, and this route takes {expected}: use `download`, `download_named` or a \
                 handler that calls `Gate::serve`"
            ),
            Self::NotAdmitted(_) => f.write_str("the subject is not admitted"),
            Self::UnknownId => f.write_str("the catalog has no such record"),
            Self::Denied(_) => f.write_str("the authorizer denied the record"),
            Self::UsesSpent => f.write_str("the uses are spent"),
            Self::UsesNotLimited => {
                f.write_str("the terms insist on a limit on uses: give the gate its `usage_limit`")
            }
            Self::TooManyDownloads => f.write_str("too many concurrent downloads"),
            Self::Observer(error) => write!(f, "an observer takes note of no download: {error}"),
            Self::Catalog(error) => write!(f, "the catalog failed: {error}"),
            Self::Authorizer(error) => write!(f, "the authorizer failed: {error}"),
            Self::UsageLimit(error) => write!(f, "the limit on uses failed: {error}"),
            Self::Delivery(error) => match error.source() {
                Some(source) => write!(f, "{error}: {source}"),
                None => error.fmt(f),
            },
        }
    }
}
