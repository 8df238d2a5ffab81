//! What passes between client and bucket, whichever the proxy.

/// What of the client's request the bucket is asked.
pub(super) const ASKED: [&str; 6] =
    ["Range", "If-Range", "If-Match", "If-None-Match", "If-Modified-Since", "If-Unmodified-Since"];

/// The only `Range` that the bucket is asked: stores answer several parts in ways of their own, and a server may send the
/// whole file instead (RFC 9110 section 14.2). The unit's case does not matter.
pub(super) const ONE_RANGE: &str = "^bytes=([0-9]+-[0-9]*|-[0-9]+)$";

/// What of the bucket's answer the client sees, besides the file and its length.
pub(super) const SEEN: [&str; 4] = ["Accept-Ranges", "Content-Range", "ETag", "Last-Modified"];

/// What the client sees in place of an answer that is not the file.
pub(super) struct Masked {
    pub(super) name: &'static str,
    /// Statuses of the bucket; none: all that are not named elsewhere.
    pub(super) of: &'static [u16],
    pub(super) status: u16,
    pub(super) says: &'static str,
}

pub(super) const MASKED: [Masked; 4] = [
    Masked { name: "missing", of: &[404, 410], status: 404, says: "not found" },
    Masked { name: "changed", of: &[412], status: 412, says: "changed" },
    Masked { name: "unsatisfiable", of: &[416], status: 416, says: "no such range" },
    Masked { name: "failed", of: &[], status: 502, says: "delivery failed" },
];
