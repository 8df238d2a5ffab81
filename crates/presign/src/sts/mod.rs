//! Temporary credentials for exactly one object.

mod request;
mod response;

pub use self::request::{AssumeRole, StsEndpoint};
pub use self::response::StsError;
