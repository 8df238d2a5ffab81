//! A gate for users cannot be asked by somebody else.

use secure_download_core::{Download, Gate, RequestHead};

struct User;

async fn serve(gate: &Gate<User, Download>, head: &RequestHead) {
    let _ = gate.serve(&None::<User>, "id", head).await;
}

fn main() {}
