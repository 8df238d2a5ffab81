//! Ours on actix-web.

use actix_web::App;
use benches::User;
use secure_download::actix::{DownloadServer, download};
use secure_download::{Download, Gate};

use crate::{announced, bound};

pub(crate) fn serve(gate: &Gate<Option<User>, Download>) {
    let gate = gate.clone();
    let server = move || App::new().route("/files/{id}", download::<Option<User>>(gate.clone()));
    actix_web::rt::System::new().block_on(async {
        let server = DownloadServer::new(server).configure(|server| server.workers(1));
        server.listen(announced(bound())).expect("a listener").await.expect("served");
    });
}
