//! [`Sandbox`]: the `Content-Security-Policy` of each kind of content, and which pages may frame it.

use http::HeaderValue;

/// Why a list of pages is not one that may frame downloads. See
/// [`ContentPolicy::frame_ancestors`](crate::ContentPolicy::frame_ancestors).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FrameAncestorsError {
    /// The list is empty.
    #[error("no frame ancestor is named: name `'self'`, `'none'` or origins")]
    Empty,
    /// `'none'` stands beside others.
    #[error("`'none'` stands beside other frame ancestors: name it alone, or leave it out")]
    NoneAmongOthers,
    /// Something else than `'self'`, `'none'` or an origin.
    #[error(
        "{0:?} is not a frame ancestor: write `'self'`, `'none'` or an origin such as `https://app.example` or \
         `https://*.example:8443`, without a path and with an international host in its ASCII form"
    )]
    Source(String),
}

/// The policies of one gate, by kind of content, written when the gate is built.
///
/// Content that a browser shows runs nothing, loads nothing and has no origin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sandbox {
    attachment: HeaderValue,
    shown: HeaderValue,
    recording: HeaderValue,
    pdf: HeaderValue,
}

/// For what is saved: web views that ignore `Content-Disposition` show it, but run nothing of it.
macro_rules! attachment {
    ($frames:expr) => {
        concat!("sandbox; default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors ", $frames)
    };
}

/// Images and media may load themselves. Plain text may use the browser's own style.
macro_rules! shown {
    ($frames:expr) => {
        concat!(
            "sandbox; default-src 'none'; img-src 'self'; media-src 'self'; style-src 'unsafe-inline'; ",
            "base-uri 'none'; form-action 'none'; frame-ancestors ",
            $frames
        )
    };
}

/// With the origin it came from: a browser that plays a film asks for it once more, and would do so without cookies
/// from a sandbox without an origin. Nothing runs in it either.
macro_rules! recording {
    ($frames:expr) => {
        concat!(
            "sandbox allow-same-origin; default-src 'none'; media-src 'self'; style-src 'unsafe-inline'; ",
            "base-uri 'none'; form-action 'none'; frame-ancestors ",
            $frames
        )
    };
}

/// Without `sandbox`: browsers do not start their PDF viewers in one.
macro_rules! pdf {
    ($frames:expr) => {
        concat!(
            "default-src 'none'; object-src 'self'; img-src 'self'; style-src 'unsafe-inline'; ",
            "base-uri 'none'; form-action 'none'; frame-ancestors ",
            $frames
        )
    };
}

impl Sandbox {
    /// Frames on pages of the same origin only.
    pub(crate) const fn new() -> Self {
        Self {
            attachment: HeaderValue::from_static(attachment!("'self'")),
            shown: HeaderValue::from_static(shown!("'self'")),
            recording: HeaderValue::from_static(recording!("'self'")),
            pdf: HeaderValue::from_static(pdf!("'self'")),
        }
    }

    /// Frames on the pages that `sources` name.
    pub(crate) fn framed_by<I>(sources: I) -> Result<Self, FrameAncestorsError>
    where
        I: IntoIterator<Item: AsRef<str>>,
    {
        let mut frames = String::new();
        let (mut named, mut none) = (0, false);
        for source in sources {
            let source = source.as_ref();
            let refused = || FrameAncestorsError::Source(source.to_owned());
            match source {
                "'none'" => none = true,
                "'self'" => {}
                origin if is_origin(origin) => {}
                _ => return Err(refused()),
            }
            named += 1;
            if named > 1 {
                frames.push(' ');
            }
            frames.push_str(source);
        }
        match named {
            0 => return Err(FrameAncestorsError::Empty),
            1 => {}
            _ if none => return Err(FrameAncestorsError::NoneAmongOthers),
            _ => {}
        }
        // Every byte was checked, so each is a header value.
        let policy = |text: &str| {
            HeaderValue::try_from([text, &frames].concat())
                .map_err(|_| FrameAncestorsError::Source(frames.clone()))
        };
        Ok(Self {
            attachment: policy(attachment!(""))?,
            shown: policy(shown!(""))?,
            recording: policy(recording!(""))?,
            pdf: policy(pdf!(""))?,
        })
    }

    pub(crate) fn of(&self, kind: Kind) -> &HeaderValue {
        match kind {
            Kind::Attachment => &self.attachment,
            Kind::Shown => &self.shown,
            Kind::Recording => &self.recording,
            Kind::Pdf => &self.pdf,
        }
    }
}

/// What a policy is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Attachment,
    Shown,
    Recording,
    Pdf,
}

/// `scheme "://" [ "*." ] host [ ":" port ]`: a `host-source` of Content Security Policy Level 3, section 2.3.1, with a
/// scheme and without a path. Browsers know no address of IPv6 there.
fn is_origin(source: &str) -> bool {
    let Some((scheme, authority)) = source.split_once("://") else { return false };
    let mut letters = scheme.bytes();
    let is_scheme = letters.next().is_some_and(|byte| byte.is_ascii_alphabetic())
        && letters.all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
    let (host, port) = match authority.split_once(':') {
        Some((host, port)) => (host, Some(port)),
        None => (authority, None),
    };
    let is_port = |port: &str| {
        port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse::<u16>().is_ok_and(|port| port > 0)
    };
    let host = host.strip_prefix("*.").unwrap_or(host);
    let is_label = |label: &str| {
        !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    is_scheme && port.is_none_or(is_port) && host.split('.').all(is_label)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frame_ancestors_are_origins_or_refused() {
        for sources in [
            &["'self'"][..],
            &["'none'"],
            &["https://app.corp.example"],
            &["'self'", "https://app.corp.example:8443", "http://localhost:3000", "https://*.corp.example"],
            &[
                "capacitor://localhost",
                "HTTPS://APP.EXAMPLE",
                "https://xn--bcher-kva.example",
                "http://10.0.0.1",
            ],
        ] {
            let sandbox = Sandbox::framed_by(sources).expect("origins");
            for kind in [Kind::Attachment, Kind::Shown, Kind::Recording, Kind::Pdf] {
                let policy = sandbox.of(kind).to_str().expect("ASCII");
                let (_, frames) = policy.split_once("; frame-ancestors ").expect("the last directive");
                assert_eq!(frames, sources.join(" "), "{kind:?}");
            }
        }
        assert_eq!(Sandbox::framed_by(["'self'"]), Ok(Sandbox::new()), "the default");
        for source in [
            "",
            "*",
            "self",
            "none",
            "'unsafe-inline'",
            "https:",
            "https://",
            "https://*",
            "https://*.",
            "https://a.*.example",
            "app.example",
            "//app.example",
            "https://app.example/",
            "https://app.example/path",
            "https://app.example?q",
            "https://app.example:",
            "https://app.example:*",
            "https://app.example:0",
            "https://app.example:65536",
            "https://app.example:+80",
            "https://user@app.example",
            "https://a..example",
            "https://.example",
            "https://bücher.example",
            "https://[::1]",
            "https://a.example https://b.example",
            "https://a.example; script-src *",
            "https://a.example, default-src *",
            "https://a.example\r\nSet-Cookie: a=b",
            "https://a.example\n",
            "1https://a.example",
            "data:",
            "javascript:alert(1)",
        ] {
            let refused = Err(FrameAncestorsError::Source(source.to_owned()));
            assert_eq!(Sandbox::framed_by([source]), refused, "{source:?}");
            assert_eq!(Sandbox::framed_by(["'self'", source]), refused, "{source:?}");
        }
        assert_eq!(Sandbox::framed_by::<[&str; 0]>([]), Err(FrameAncestorsError::Empty));
        for sources in [["'none'", "'self'"], ["https://a.example", "'none'"], ["'none'", "'none'"]] {
            assert_eq!(Sandbox::framed_by(sources), Err(FrameAncestorsError::NoneAmongOthers));
        }
    }
}
