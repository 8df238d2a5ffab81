//! There is no authorizer by default.

use std::collections::HashMap;

use secure_download_core::{DeliveryStrategy, Download, Gate};

fn open(strategy: impl DeliveryStrategy + 'static) {
    let _ = Gate::builder(HashMap::<String, Download>::new()).strategy(strategy).build();
}

fn main() {}
