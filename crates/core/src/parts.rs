//! [`Parts`]: what a body is made of.

use std::ops::Range;

use bytes::Bytes;

/// The body's parts in order.
#[derive(Debug, Clone)]
pub enum Parts {
    /// One piece of the file, all of it in most cases. It may be empty.
    One(Range<u64>),
    /// `multipart/byteranges`, RFC 9110 section 14.6: literal framing and pieces of the file in turn.
    Many(Vec<Part>),
}

/// One part of a body.
#[derive(Debug, Clone)]
pub enum Part {
    /// Bytes to send as they are.
    Literal(Bytes),
    /// Bytes of the file, by position.
    File(Range<u64>),
}

impl Parts {
    /// The exact length of the body in bytes.
    #[must_use]
    pub fn length(&self) -> u64 {
        match self {
            Self::One(range) => range.end - range.start,
            Self::Many(parts) => parts.iter().map(Part::length).sum(),
        }
    }
}

impl Part {
    fn length(&self) -> u64 {
        match self {
            Self::Literal(bytes) => bytes.len() as u64,
            Self::File(range) => range.end - range.start,
        }
    }
}
