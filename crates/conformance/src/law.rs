//! [`Broken`]: which laws are broken, and by what.

use std::fmt;

/// What one law found: nothing, or what was seen instead.
pub(crate) type Verdict = Result<(), String>;

/// Laws that are broken. Shown, it names each with what was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken {
    laws: Vec<(&'static str, String)>,
}

impl Broken {
    /// The names of the broken laws, in the order in which they were tried.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        self.laws.iter().map(|(name, _)| *name)
    }
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, seen) in &self.laws {
            writeln!(f, "broken: {name}\n  {seen}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Broken {}

/// Collects verdicts.
#[derive(Debug, Default)]
pub(crate) struct Docket {
    laws: Vec<(&'static str, String)>,
}

impl Docket {
    pub(crate) fn note(&mut self, law: &'static str, verdict: Verdict) {
        if let Err(seen) = verdict {
            self.laws.push((law, seen));
        }
    }

    pub(crate) fn close(self) -> Result<(), Broken> {
        if self.laws.is_empty() { Ok(()) } else { Err(Broken { laws: self.laws }) }
    }
}

/// Ends a law with what was seen unless the condition holds.
macro_rules! ensure {
    ($condition:expr, $($seen:tt)+) => {
        if !$condition {
            return Err(format!($($seen)+));
        }
    };
}
pub(crate) use ensure;

/// Whether a shared cache may keep an answer with these fields, RFC 9111 section 3: it may, unless `private` or `no-store`
/// says no. A field for certain caches comes before `Cache-Control` there, RFC 9213.
pub(crate) fn storable_by_shared_caches(headers: &http::HeaderMap) -> bool {
    let targeted = headers.keys().map(http::HeaderName::as_str).filter(|name| {
        // As of Cloudflare, Vercel, Netlify, Akamai; `Surrogate-Control` is of Fastly and Varnish.
        name.ends_with("cdn-cache-control") || *name == "surrogate-control" || *name == "edge-control"
    });
    ["cache-control"].into_iter().chain(targeted).any(|name| !forbids_storing(headers, name))
}

fn forbids_storing(headers: &http::HeaderMap, name: &str) -> bool {
    let directives = headers.get_all(name).iter().filter_map(|line| line.to_str().ok());
    directives.flat_map(|line| line.split(',')).any(|directive| {
        // `private="field"` keeps one field back, not the answer.
        matches!(directive.trim().to_ascii_lowercase().as_str(), "private" | "no-store")
    })
}
