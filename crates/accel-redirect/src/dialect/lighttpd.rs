//! lighttpd: <https://redmine.lighttpd.net/projects/lighttpd/wiki/X-LIGHTTPD-send-file>
//!
//! It cannot open names that hold control bytes or are not UTF-8. No key has such a name.

use super::{Rules, X_SENDFILE};
use crate::mapping::Root;

pub(super) static RULES: Rules = Rules {
    name: "lighttpd",
    header: X_SENDFILE,
    names: Root::folder,
    longest: 4000,
    rate: None,
    keeps_etag: true,
};
