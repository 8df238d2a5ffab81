//! [`compressible`]: which responses a compression layer may touch.

use http::{Extensions, HeaderMap, StatusCode, Version};
use secure_download_core::ServedBy;

/// Whether a response is no download. Compressing one would break its ranges and its strong entity tag.
///
/// A predicate for tower-http's `CompressionLayer`, alone or with others:
///
/// ```
/// use secure_download_axum::compressible;
/// use tower_http::compression::CompressionLayer;
/// use tower_http::compression::predicate::{DefaultPredicate, Predicate as _};
///
/// let layer = CompressionLayer::new().compress_when(DefaultPredicate::new().and(compressible));
/// # let _ = layer;
/// ```
#[must_use]
pub fn compressible(_: StatusCode, _: Version, _: &HeaderMap, extensions: &Extensions) -> bool {
    extensions.get::<ServedBy>().is_none()
}
