//! [`BoxError`].

/// Any error of the app's own catalog, authorizer or storage.
pub type BoxError = Box<dyn std::error::Error + Send + Sync + 'static>;
