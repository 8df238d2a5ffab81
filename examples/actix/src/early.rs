//! Answers that come before the end of a long request.

use actix_web::Error;
use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::ConnectionType;
use actix_web::http::header::TRANSFER_ENCODING;
use actix_web::middleware::Next;
use demo::FORM_LIMIT;

use crate::routes::announced;

/// Announces that the connection ends with the refusal of a long body, of which some may still come. The server then closes its
/// side at once, and reads on for a while: a connection that is reset would take the answer along.
pub(crate) async fn close<B: MessageBody>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<B>, Error> {
    let is_long = request.headers().contains_key(TRANSFER_ENCODING)
        || announced(request.request()).is_some_and(|length| length > FORM_LIMIT as u64);
    let mut response = next.call(request).await?;
    if is_long && (response.status().is_client_error() || response.status().is_server_error()) {
        response.response_mut().head_mut().set_connection_type(ConnectionType::Close);
    }
    Ok(response)
}
