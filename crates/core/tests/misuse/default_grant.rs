//! A grant cannot come from nothing.

use secure_download_core::Grant;

fn main() {
    let _: Grant = Default::default();
}
