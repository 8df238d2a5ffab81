//! There is no catalog by default.

use secure_download_core::Gate;

fn main() {
    let _ = Gate::builder();
}
