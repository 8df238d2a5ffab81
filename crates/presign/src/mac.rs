//! HMAC-SHA256.

use hmac::{Hmac, KeyInit as _};
use sha2::Sha256;

pub(crate) type Mac = Hmac<Sha256>;

/// Hashes both pads of the key; clones of it start from there.
pub(crate) fn keyed(key: &[u8]) -> Mac {
    match Hmac::new_from_slice(key) {
        Ok(mac) => mac,
        Err(_) => unreachable!("HMAC takes keys of any length"),
    }
}
