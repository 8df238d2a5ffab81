//! [`Line`]: one JSON object (RFC 8259).

use std::fmt::Write as _;
use std::time::{Duration, SystemTime};

use secure_download_core::{AuditId, is_invisible};
use time::OffsetDateTime;

/// An object in the making.
pub(super) struct Line(String);

impl Line {
    /// A line about one request.
    pub(super) fn of(now: SystemTime, event: &str, audit_id: AuditId) -> Self {
        let mut line = Self::new(now, event);
        let _ = write!(line.0, ",\"audit_id\":\"{audit_id}\"");
        line
    }

    pub(super) fn new(now: SystemTime, event: &str) -> Self {
        let mut line = String::with_capacity(256);
        let _ = write!(line, "{{\"time\":\"{}\",\"event\":\"{event}\"", rfc3339(now));
        Self(line)
    }

    /// An array of objects.
    pub(super) fn objects(mut self, name: &str, objects: impl IntoIterator<Item = Self>) -> Self {
        let _ = write!(self.0, ",\"{name}\":[");
        for (index, object) in objects.into_iter().enumerate() {
            // A line begins with a brace or, as a part of another, with a comma.
            let object = object.0.strip_prefix(',').unwrap_or(&object.0);
            let _ = write!(self.0, "{}{{{object}}}", if index > 0 { "," } else { "" });
        }
        self.0.push(']');
        self
    }

    /// An object within another.
    pub(super) fn part() -> Self {
        Self(String::new())
    }

    pub(super) fn text(mut self, name: &str, value: Option<&str>) -> Self {
        let _ = write!(self.0, ",\"{name}\":");
        match value {
            Some(value) => push_string(&mut self.0, value),
            None => self.0.push_str("null"),
        }
        self
    }

    pub(super) fn number(mut self, name: &str, value: u64) -> Self {
        let _ = write!(self.0, ",\"{name}\":{value}");
        self
    }

    pub(super) fn milliseconds(mut self, duration: Duration) -> Self {
        let (whole, rest) = (duration.as_millis(), duration.as_micros() % 1000);
        let _ = write!(self.0, ",\"duration_ms\":{whole}.{rest:03}");
        self
    }

    pub(super) fn end(mut self) -> String {
        self.0.push_str("}\n");
        self.0
    }
}

/// RFC 8259 section 7. What could end a line, move a cursor, turn its direction or hide is escaped too.
fn push_string(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if c.is_control() || is_invisible(c) || matches!(c, '\u{2028}' | '\u{2029}') => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    let _ = write!(out, "\\u{unit:04x}");
                }
            }
            c => out.push(c),
        }
    }
    out.push('"');
}

/// With milliseconds, in UTC.
pub(super) fn rfc3339(time: SystemTime) -> String {
    let time = OffsetDateTime::from(time);
    let (year, month, day) = (time.year(), u8::from(time.month()), time.day());
    let (hour, minute, second, milli) = time.to_hms_milli();
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{milli:03}Z")
}
