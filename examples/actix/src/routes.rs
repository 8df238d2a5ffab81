//! Which address is answered by what.

use std::future::ready;

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceFactory, ServiceRequest, ServiceResponse};
use actix_web::guard;
use actix_web::http::header::CONTENT_LENGTH;
use actix_web::middleware::{Next, from_fn};
use actix_web::web::{self, Data, PayloadConfig};
use actix_web::{App, Error, HttpRequest, HttpResponse, Resource, Route};
use demo::{FORM_LIMIT, Site, asks_inline, asset, refusal};
use http::header::ALLOW;
use http::{HeaderValue, Method, StatusCode};
use secure_download::Interstitial;
use secure_download::actix::{Delivered, Fields, Head, InterstitialMiddleware, interstitial};
use send_wrapper::SendWrapper;

use crate::extract::{Id, SmallForm, Visitor};
use crate::{early, log, session};

pub(crate) fn app(
    site: Data<Site>,
) -> App<
    impl ServiceFactory<
        ServiceRequest,
        Config = (),
        Response = ServiceResponse<impl MessageBody>,
        Error = Error,
        InitError = (),
    >,
> {
    App::new()
        .service(on("/", "GET,HEAD").route(get().to(home)))
        .service(
            on("/login", "GET,HEAD,POST")
                .route(get().to(session::form))
                .route(web::post().to(session::sign_in)),
        )
        .service(on("/logout", "POST").route(web::post().to(session::sign_out)))
        .service(on("/upload", "POST").route(web::post().to(upload)))
        // The gate answers other methods than GET and HEAD.
        .service(web::resource("/files/{id}").wrap(other_sites()).route(web::route().to(download)))
        // Clients without a name of their own save under the last segment. A file may be called `share`, too.
        .service(file("share").route(web::post().to(share)).wrap(other_sites()))
        .service(file("unshare").route(web::post().to(unshare)).wrap(other_sites()))
        .service(file("delete").route(web::post().to(delete)).wrap(other_sites()))
        .service(file("links").route(web::post().to(create_link)).wrap(other_sites()))
        .service(web::resource("/files/{id}/{name}").wrap(other_sites()).route(web::route().to(download)))
        .service(on("/d/{token}", "GET,HEAD,POST").route(get().to(link)).route(web::post().to(redeem)))
        // The gate answers other methods than GET and HEAD here too.
        .route("/d/{token}/file", web::route().to(leased))
        .service(
            on("/assets/{name}", "GET,HEAD").route(get().to(async |Id(name): Id| Delivered(asset(&name)))),
        )
        .service(on("/healthz", "GET,HEAD").route(get().to(async || "ok")))
        .service(
            on("/readyz", "GET,HEAD").route(get().to(async |site: Data<Site>| Delivered(site.ready().await))),
        )
        .default_service(web::to(async || Delivered(refusal(StatusCode::NOT_FOUND, ""))))
        .app_data(PayloadConfig::new(FORM_LIMIT))
        .wrap(from_fn(refuse_misdirected))
        .wrap(from_fn(early::close))
        .wrap(from_fn(log::log))
        .wrap(site.guard().cloned().unwrap_or_default())
        .app_data(site)
}

/// Of what other sites open, they learn nothing.
fn other_sites() -> InterstitialMiddleware {
    interstitial(Interstitial::new())
}

/// The route for GET, and for HEAD, which actix's own `web::get()` leaves out.
fn get() -> Route {
    web::route().guard(guard::Any(guard::Get()).or(guard::Head()))
}

/// An address that takes these methods and answers others with a page.
fn on(path: &str, methods: &'static str) -> Resource {
    web::resource(path).default_service(web::to(move || {
        let mut page = refusal(StatusCode::METHOD_NOT_ALLOWED, "");
        page.headers_mut().insert(ALLOW, HeaderValue::from_static(methods));
        ready(Delivered(page))
    }))
}

/// A file under the name of an action, which is another method.
fn file(action: &str) -> Resource {
    on(&format!("/files/{{id}}/{action}"), "GET,HEAD,POST").route(get().to(download))
}

/// The whole use of the library in a handler: who asks, for what, and the few headers that delivery may see.
async fn download(
    site: Data<Site>,
    Visitor(visitor): Visitor,
    Id(id): Id,
    request: HttpRequest,
    head: Head,
) -> Delivered {
    let asked = site.gate().request(&visitor, &id);
    let asked = if asks_inline(request.uri().query()) { asked.inline() } else { asked };
    match asked.try_serve(&head).await {
        Ok(answer) => answer.into(),
        Err(refusal) => {
            let target = request.uri().path_and_query().map_or("", |target| target.as_str());
            site.refused(refusal, &head, target).into()
        }
    }
}

async fn home(site: Data<Site>, Visitor(visitor): Visitor, request: HttpRequest) -> Delivered {
    site.home(&visitor, request.uri().query()).await.into()
}

async fn upload(
    site: Data<Site>,
    Visitor(visitor): Visitor,
    headers: Fields,
    payload: web::Payload,
) -> Delivered {
    // The site asks for a stream that could change threads; here none does.
    site.upload(&visitor, &headers, SendWrapper::new(payload)).await.into()
}

pub(crate) fn announced(request: &HttpRequest) -> Option<u64> {
    request.headers().get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

async fn share(
    site: Data<Site>,
    Visitor(visitor): Visitor,
    Id(id): Id,
    SmallForm(form): SmallForm,
) -> Delivered {
    site.share(&visitor, &id, form).await.into()
}

async fn unshare(
    site: Data<Site>,
    Visitor(visitor): Visitor,
    Id(id): Id,
    SmallForm(form): SmallForm,
) -> Delivered {
    site.unshare(&visitor, &id, form).await.into()
}

async fn delete(site: Data<Site>, Visitor(visitor): Visitor, Id(id): Id) -> Delivered {
    site.delete(&visitor, &id).await.into()
}

async fn create_link(
    site: Data<Site>,
    Visitor(visitor): Visitor,
    Id(id): Id,
    headers: Fields,
    SmallForm(form): SmallForm,
) -> Delivered {
    site.create_link(&visitor, &id, &headers, form).await.into()
}

async fn link(site: Data<Site>, Id(token): Id) -> Delivered {
    site.link(&token).into()
}

async fn redeem(site: Data<Site>, Id(token): Id) -> Delivered {
    site.redeem(&token).await.into()
}

/// As [`download`], with a link's holder in place of somebody who is signed in.
async fn leased(site: Data<Site>, Id(token): Id, headers: Fields, head: Head) -> Delivered {
    site.leased(&token, &headers, &head).await.into()
}

async fn refuse_misdirected(
    site: Data<Site>,
    mut request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let method = Method::from_bytes(request.method().as_str().as_bytes()).unwrap_or_default();
    let Ok(headers) = request.extract::<Fields>().await;
    let authority = request.uri().authority().map(actix_web::http::uri::Authority::as_str);
    match site.misdirected(&method, authority, &headers) {
        Some(page) => Ok(request.into_response(HttpResponse::from(Delivered(page)))),
        None => Ok(next.call(request).await?.map_into_boxed_body()),
    }
}
