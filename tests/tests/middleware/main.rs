//! Downloads through the middleware that applications have: compression, CORS, logs, timeouts; on both frameworks.

mod actix;
mod axum;
mod site;
