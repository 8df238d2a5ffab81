//! [`Authorizer`]: may this subject download this record?

use std::sync::Arc;

use async_trait::async_trait;

use crate::{BoxError, Download, Terms};

/// An authorizer's answer. There is no default: every path must say one.
///
/// ```
/// use secure_download_core::{Decision, Denial, Download, Terms};
///
/// enum Role { Owner, Guest, Blocked }
///
/// fn may(role: &Role, _file: &Download) -> Decision {
///     match role {
///         Role::Owner => Decision::Allow,
///         Role::Guest => Decision::AllowWith(Terms::new().attachment()),
///         Role::Blocked => Decision::Deny(Denial::Hidden),
///     }
/// }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Decision {
    /// The download may happen.
    Allow,
    /// The download may happen under these terms.
    AllowWith(Terms),
    /// It may not.
    Deny(Denial),
}

impl Decision {
    /// [`Decision::Allow`] if `condition` holds, else [`Denial::Default`].
    pub fn allow_if(condition: bool) -> Self {
        if condition { Self::Allow } else { Self::Deny(Denial::Default) }
    }
}

/// What a denial looks like from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Denial {
    /// From [`Authorizer::authorize`] as the gate's [`Masking`] says; from [`Authorizer::admits`] 401.
    #[default]
    Default,
    /// 404, byte for byte the answer to an unknown id.
    Hidden,
    /// 403: the subject learns that the record exists.
    Forbidden,
}

/// How a [`Denial::Default`] shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Masking {
    /// 404, byte for byte the answer to an unknown id.
    #[default]
    Hidden,
    /// 403.
    Forbidden,
}

/// Decides who may download what. `S` is the app's own subject, `R` its own record.
///
/// A closure `Fn(&S, &R) -> Decision` is an authorizer, so is an `Arc` of one, `Arc<dyn Authorizer<S, R>>`
/// too. [`authorize_with`] makes one from an async closure, [`signed_in`] one for `Option<User>` that answers
/// 401 to anonymous subjects.
///
/// ```
/// use secure_download_core::{Decision, Download, signed_in};
///
/// struct User { admin: bool }
/// let admins_only = signed_in(|user: &User, _file: &Download| Decision::allow_if(user.admin));
/// # fn check(_: impl secure_download_core::Authorizer<Option<User>, Download>) {}
/// # check(admins_only);
/// ```
#[async_trait]
pub trait Authorizer<S: ?Sized, R: ?Sized = Download>: Send + Sync {
    /// May this subject ask at all? Decided before any look-up, so that the answer cannot depend on a record:
    /// [`Denial::Default`] shows as 401. Everybody is admitted by default.
    ///
    /// # Errors
    /// An error is answered with 503 and never grants.
    async fn admits(&self, subject: &S) -> Result<Decision, BoxError>
    where
        S: Sync,
    {
        let _ = subject;
        Ok(Decision::Allow)
    }

    /// May this subject download this record? Asked on every request, each range and HEAD included.
    ///
    /// # Errors
    /// An error is answered with 503 and never grants.
    async fn authorize(&self, subject: &S, record: &R) -> Result<Decision, BoxError>;
}

#[async_trait]
impl<S, R, F> Authorizer<S, R> for F
where
    S: Sync + ?Sized,
    R: Sync + ?Sized,
    F: Fn(&S, &R) -> Decision + Send + Sync,
{
    async fn authorize(&self, subject: &S, record: &R) -> Result<Decision, BoxError> {
        Ok(self(subject, record))
    }
}

#[async_trait]
impl<S, R, A> Authorizer<S, R> for Arc<A>
where
    S: Sync + ?Sized,
    R: Sync + ?Sized,
    A: Authorizer<S, R> + ?Sized,
{
    async fn admits(&self, subject: &S) -> Result<Decision, BoxError> {
        (**self).admits(subject).await
    }

    async fn authorize(&self, subject: &S, record: &R) -> Result<Decision, BoxError> {
        (**self).authorize(subject, record).await
    }
}

/// An authorizer from an async closure: it gets subject and record and returns a future that owns what it needs.
///
/// ```
/// use secure_download_core::{Decision, Download, authorize_with};
///
/// # #[derive(Clone)] struct Pool;
/// # impl Pool { async fn may_read(&self, _: u64, _: String) -> Result<bool, std::io::Error> { Ok(true) } }
/// # struct User { id: u64 }
/// # let pool = Pool;
/// let authorizer = authorize_with(move |user: &User, file: &Download| {
///     let (pool, user, key) = (pool.clone(), user.id, file.key().to_string());
///     async move { Ok(Decision::allow_if(pool.may_read(user, key).await?)) }
/// });
/// # fn check(_: impl secure_download_core::Authorizer<User, Download>) {}
/// # check(authorizer);
/// ```
pub fn authorize_with<S, R, F, Fut>(authorize: F) -> impl Authorizer<S, R>
where
    S: Sync + ?Sized,
    R: Sync + ?Sized,
    F: Fn(&S, &R) -> Fut + Send + Sync,
    Fut: Future<Output = Result<Decision, BoxError>> + Send + 'static,
{
    AuthorizeWith(authorize)
}

struct AuthorizeWith<F>(F);

#[async_trait]
impl<S, R, F, Fut> Authorizer<S, R> for AuthorizeWith<F>
where
    S: Sync + ?Sized,
    R: Sync + ?Sized,
    F: Fn(&S, &R) -> Fut + Send + Sync,
    Fut: Future<Output = Result<Decision, BoxError>> + Send + 'static,
{
    async fn authorize(&self, subject: &S, record: &R) -> Result<Decision, BoxError> {
        (self.0)(subject, record).await
    }
}

/// An authorizer for `Option<User>`: `None` is answered with 401 before any look-up, everybody else is left to
/// `inner`.
///
/// ```
/// use secure_download_core::{Authorizer as _, Decision, Download, FileKey, signed_in};
///
/// struct User { admin: bool }
/// let rule = signed_in(|user: &User, _: &Download| Decision::allow_if(user.admin));
///
/// # futures::executor::block_on(async {
/// let file = Download::new(FileKey::parse("report.pdf")?);
/// assert!(matches!(rule.admits(&None).await?, Decision::Deny(_)));
/// assert_eq!(rule.authorize(&Some(User { admin: true }), &file).await?, Decision::Allow);
/// # Ok::<(), secure_download_core::BoxError>(())
/// # }).unwrap();
/// ```
pub fn signed_in<U, R, A>(inner: A) -> SignedIn<A>
where
    A: Authorizer<U, R>,
    R: ?Sized,
{
    SignedIn(inner)
}

/// See [`signed_in`].
#[derive(Debug, Clone)]
pub struct SignedIn<A>(A);

#[async_trait]
impl<U, R, A> Authorizer<Option<U>, R> for SignedIn<A>
where
    U: Sync,
    R: Sync + ?Sized,
    A: Authorizer<U, R>,
{
    async fn admits(&self, subject: &Option<U>) -> Result<Decision, BoxError> {
        match subject {
            Some(user) => self.0.admits(user).await,
            None => Ok(Decision::Deny(Denial::Default)),
        }
    }

    async fn authorize(&self, subject: &Option<U>, record: &R) -> Result<Decision, BoxError> {
        match subject {
            Some(user) => self.0.authorize(user, record).await,
            None => Ok(Decision::Deny(Denial::Default)),
        }
    }
}
