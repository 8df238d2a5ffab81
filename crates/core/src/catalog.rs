//! [`Catalog`]: from the id in a URL to the app's own record.

use std::collections::HashMap;
use std::hash::BuildHasher;
use std::sync::Arc;

use async_trait::async_trait;

use crate::{BoxError, Record};

/// Finds the record that an id names.
///
/// A `HashMap<String, R>` is a catalog, so is an `Arc` or a `Box` of one; [`find_with`] makes one from an async closure.
///
/// ```
/// use async_trait::async_trait;
/// use secure_download_core::{BoxError, Catalog, Download};
///
/// struct Database;
///
/// #[async_trait]
/// impl Catalog for Database {
///     type Record = Download;
///
///     async fn find(&self, id: &str) -> Result<Option<Download>, BoxError> {
///         // `id` is whatever stood in the URL: bind it as a parameter.
///         # let _ = id;
///         Ok(None)
///     }
/// }
/// ```
#[async_trait]
pub trait Catalog: Send + Sync {
    /// The app's own row.
    type Record: Record;

    /// The record named `id`, a client's text that was not checked; `None` if there is none.
    ///
    /// # Errors
    /// An error is answered with 503 and never grants.
    async fn find(&self, id: &str) -> Result<Option<Self::Record>, BoxError>;
}

macro_rules! forward {
    ($($pointer:ident)*) => {$(
        #[async_trait]
        impl<C: Catalog + ?Sized> Catalog for $pointer<C> {
            type Record = C::Record;

            async fn find(&self, id: &str) -> Result<Option<C::Record>, BoxError> {
                (**self).find(id).await
            }
        }
    )*};
}
forward!(Arc Box);

#[async_trait]
impl<R: Record + Clone, H: BuildHasher + Send + Sync> Catalog for HashMap<String, R, H> {
    type Record = R;

    async fn find(&self, id: &str) -> Result<Option<R>, BoxError> {
        Ok(self.get(id).cloned())
    }
}

/// A catalog from an async closure: it gets the id and returns a future that owns what it needs.
///
/// ```
/// use secure_download_core::{Download, FileKey, find_with};
///
/// let catalog = find_with(|id: &str| {
///     let id = id.to_owned();
///     async move { Ok(FileKey::parse(id).ok().map(Download::new)) }
/// });
/// # let _ = catalog;
/// ```
pub fn find_with<R, F, Fut>(find: F) -> impl Catalog<Record = R>
where
    R: Record + 'static,
    F: Fn(&str) -> Fut + Send + Sync,
    Fut: Future<Output = Result<Option<R>, BoxError>> + Send + 'static,
{
    FindWith(find)
}

struct FindWith<F>(F);

#[async_trait]
impl<R, F, Fut> Catalog for FindWith<F>
where
    R: Record + 'static,
    F: Fn(&str) -> Fut + Send + Sync,
    Fut: Future<Output = Result<Option<R>, BoxError>> + Send + 'static,
{
    type Record = R;

    async fn find(&self, id: &str) -> Result<Option<R>, BoxError> {
        (self.0)(id).await
    }
}
