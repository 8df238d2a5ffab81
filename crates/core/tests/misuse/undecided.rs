//! An authorizer says a decision on every path; a `bool` is none, for it is easily the wrong way round.

use secure_download_core::{Authorizer, Download};

fn check(_: impl Authorizer<u64, Download>) {}

fn main() {
    check(|_: &u64, _: &Download| true);
}
