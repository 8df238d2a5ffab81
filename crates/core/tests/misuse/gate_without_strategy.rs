//! There is no strategy by default.

use std::collections::HashMap;

use secure_download_core::{Decision, Download, Gate};

fn main() {
    let _ = Gate::builder(HashMap::<String, Download>::new())
        .authorizer(|_: &u64, _: &Download| Decision::Allow)
        .build();
}
