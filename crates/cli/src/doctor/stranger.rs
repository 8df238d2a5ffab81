//! [`Stranger`]: what answered in place of the application and its proxy.

use super::client::Seen;

/// What an answer looks like that no probe expects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stranger {
    RateLimiter,
    /// nginx limits with 503 and no further word. Apache and lighttpd say as much of an application that does not run.
    Overload,
    LoginPage,
    Redirect,
    ErrorPage,
    Page,
}

/// Words of pages that ask for a name and a password.
const LOGIN: [&str; 7] = ["login", "log-in", "signin", "sign-in", "sso", "oauth", "auth"];

/// Words of pages that limit requests.
const LIMIT: [&str; 6] = ["too many", "rate limit", "rate-limit", "ratelimit", "throttl", "slow down"];

impl Stranger {
    pub(super) fn of(seen: &Seen) -> Self {
        let text = seen.text().to_ascii_lowercase();
        let limited =
            seen.headers.contains_key("retry-after") || LIMIT.iter().any(|word| text.contains(word));
        match seen.status {
            429 => Self::RateLimiter,
            403 | 503 if limited => Self::RateLimiter,
            503 => Self::Overload,
            401 | 407 => Self::LoginPage,
            300..400 => {
                let to = seen.header("location").unwrap_or_default().to_ascii_lowercase();
                let login = LOGIN.iter().any(|word| to.contains(word));
                if login { Self::LoginPage } else { Self::Redirect }
            }
            _ if text.contains("type=\"password\"") || text.contains("type=password") => Self::LoginPage,
            400.. => Self::ErrorPage,
            _ => Self::Page,
        }
    }

    /// Whether a later request may get another answer.
    pub(super) fn is_for_now(self) -> bool {
        matches!(self, Self::RateLimiter | Self::Overload)
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::RateLimiter => "a rate limiter",
            Self::Overload => "a server without its application, an overloaded one or a rate limiter",
            Self::LoginPage => "a login page",
            Self::Redirect => "a redirect",
            Self::ErrorPage => "an error page",
            Self::Page => "another page",
        }
    }
}

/// What answered, for the report.
pub(super) fn introduce(answer: &Result<Seen, String>) -> String {
    match answer {
        Ok(seen) => format!("{} answered: {}", Stranger::of(seen).name(), seen.describe()),
        Err(error) => format!("no answer came: {error}"),
    }
}
