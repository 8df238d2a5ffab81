//! Signing in and out. The site sets the cookie.

use actix_web::HttpRequest;
use actix_web::web::Data;
use demo::Site;
use secure_download::actix::{Delivered, Fields};

use crate::extract::SmallForm;

pub(crate) async fn form(site: Data<Site>, request: HttpRequest) -> Delivered {
    site.login(request.uri().query()).into()
}

pub(crate) async fn sign_in(
    site: Data<Site>,
    request: HttpRequest,
    headers: Fields,
    SmallForm(form): SmallForm,
) -> Delivered {
    let peer = request.peer_addr().map(|address| address.ip());
    site.sign_in(&headers, peer, form).await.into()
}

pub(crate) async fn sign_out(site: Data<Site>, headers: Fields) -> Delivered {
    site.sign_out(&headers).await.into()
}
