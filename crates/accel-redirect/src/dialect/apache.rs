//! Apache httpd with `mod_xsendfile`: <https://tn123.org/mod_xsendfile/>
//!
//! Version 0.12 takes the path as it is; the rendered configuration undoes the escaping.

use super::{Rules, X_SENDFILE};
use crate::mapping::Root;

pub(super) static RULES: Rules = Rules {
    name: "apache",
    header: X_SENDFILE,
    names: Root::folder,
    // A path over 4096 bytes is 404.
    longest: 4000,
    rate: None,
    keeps_etag: true,
};
