//! nginx: <https://nginx.org/en/docs/http/ngx_http_proxy_module.html#proxy_ignore_headers>

use super::{Rules, X_ACCEL_LIMIT_RATE, X_ACCEL_REDIRECT};
use crate::mapping::Root;

pub(super) static RULES: Rules = Rules {
    name: "nginx",
    header: X_ACCEL_REDIRECT,
    names: Root::location,
    // Measured with the default buffer of 4 KiB; the rendered configuration has 16.
    longest: 4000,
    rate: Some(X_ACCEL_LIMIT_RATE),
    // Entity tag and modification date are always nginx's own.
    keeps_etag: false,
};
