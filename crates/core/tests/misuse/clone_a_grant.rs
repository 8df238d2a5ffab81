//! One authorisation is good for one delivery.

use secure_download_core::Grant;

fn twice(grant: &Grant) -> Grant {
    Grant::clone(grant)
}

fn main() {}
