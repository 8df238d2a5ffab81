//! [`Case`]: one request and the answer that it must get.

/// A row of the table.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Case {
    /// Unique; the list of requirements in `docs/rfc9110.md` refers to it.
    pub(crate) name: &'static str,
    pub(crate) method: &'static str,
    pub(crate) file: &'static str,
    /// Whole lines. `{etag}` is the file's entity tag, `{opaque}` what stands between its quotes, `{modified}` its
    /// `Last-Modified`.
    pub(crate) fields: &'static [&'static str],
    /// The one source that has such a file or gives such an answer; both if `None`.
    pub(crate) only: Option<Source>,
    pub(crate) expect: Expect,
}

/// Where the files are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    Local,
    S3,
}

/// An answer, all of it: status, fields and body. Positions are the first and the last byte, as in `Content-Range`.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Expect {
    /// 200 with the whole file, without its body for HEAD.
    Whole,
    /// 206 with one range.
    Partial(u64, u64),
    /// 206 with several ranges, in this order.
    Parts(&'static [(u64, u64)]),
    /// 416.
    Unsatisfiable,
    /// 304.
    NotModified,
    /// 412.
    Failed,
    /// 404.
    NotFound,
    /// 405.
    NotAllowed,
}

pub(crate) const fn get(
    name: &'static str,
    file: &'static str,
    fields: &'static [&'static str],
    expect: Expect,
) -> Case {
    Case { name, method: "GET", file, fields, only: None, expect }
}

impl Case {
    pub(crate) const fn method(self, method: &'static str) -> Self {
        Self { method, ..self }
    }

    pub(crate) const fn only(self, source: Source) -> Self {
        Self { only: Some(source), ..self }
    }
}
