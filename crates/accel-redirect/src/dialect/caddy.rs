//! Caddy 2: <https://caddyserver.com/docs/caddyfile/directives/reverse_proxy#intercepting-responses>

use super::{Rules, X_ACCEL_REDIRECT};
use crate::mapping::Root;

pub(super) static RULES: Rules = Rules {
    name: "caddy",
    header: X_ACCEL_REDIRECT,
    names: Root::location,
    longest: 4000,
    rate: None,
    // 2.6 makes its own, 2.11 would keep the application's: the configuration drops it, so that all versions agree.
    keeps_etag: false,
};
