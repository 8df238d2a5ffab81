//! [`LinkAuthorizer`]: a link opens its own record, while its issuer may.

use std::borrow::Cow;
use std::fmt;

use async_trait::async_trait;
use secure_download_core::{Authorizer, BoxError, Decision, Denial, Terms};

use crate::bearer::LinkBearer;

type RecordId<R> = Box<dyn Fn(&R) -> Cow<'_, str> + Send + Sync>;

/// Lets the holder of a lease download the one record that the link names, if its issuer still may.
///
/// Whoever has no lease is answered as if the link did not exist.
///
/// ```
/// use secure_download_core::{Authorizer, BoxError, Decision, Download, FileKey, Record};
/// use secure_download_links::LinkAuthorizer;
///
/// struct Scan { id: String, owner: String, key: FileKey }
/// # impl Record for Scan { fn download(&self) -> Download { Download::new(self.key.clone()) } }
/// struct User { name: String }
///
/// // The app's own rule, and how it finds the user that a link names as its issuer.
/// let owner_only = |user: &User, scan: &Scan| Decision::allow_if(scan.owner == user.name);
/// let find_user = |issuer: &str| {
///     let user = User { name: issuer.to_owned() };
///     async move { Ok::<_, BoxError>(Some(user)) }
/// };
/// let authorizer = LinkAuthorizer::new(|scan: &Scan| scan.id.as_str().into(), owner_only, find_user);
/// # fn check(_: impl Authorizer<Option<secure_download_links::LinkBearer>, Scan>) {}
/// # check(authorizer);
/// ```
pub struct LinkAuthorizer<R, A, F> {
    record_id: RecordId<R>,
    issuer_rule: A,
    find_issuer: F,
}

impl<R, A, F> LinkAuthorizer<R, A, F> {
    /// `record_id` tells under which id a record is found in the catalog: a link to one record never opens another.
    /// `find_issuer` finds whoever a link names as its issuer, and `issuer_rule` decides about them as if they asked
    /// themselves: a link is never worth more than its issuer. `None` means that there is no such issuer any more.
    pub fn new<U, Fut>(
        record_id: impl Fn(&R) -> Cow<'_, str> + Send + Sync + 'static,
        issuer_rule: A,
        find_issuer: F,
    ) -> Self
    where
        A: Authorizer<U, R>,
        F: Fn(&str) -> Fut + Send + Sync,
        Fut: Future<Output = Result<Option<U>, BoxError>> + Send,
    {
        Self { record_id: Box::new(record_id), issuer_rule, find_issuer }
    }
}

#[async_trait]
impl<R, A, F, U, Fut> Authorizer<Option<LinkBearer>, R> for LinkAuthorizer<R, A, F>
where
    R: Sync,
    U: Send + Sync,
    A: Authorizer<U, R>,
    F: Fn(&str) -> Fut + Send + Sync,
    Fut: Future<Output = Result<Option<U>, BoxError>> + Send,
{
    /// Without a lease a link shows as one that does not exist: to ask to sign in would be of no use.
    async fn admits(&self, subject: &Option<LinkBearer>) -> Result<Decision, BoxError> {
        Ok(if subject.is_some() { Decision::Allow } else { Decision::Deny(Denial::Hidden) })
    }

    async fn authorize(&self, subject: &Option<LinkBearer>, record: &R) -> Result<Decision, BoxError> {
        let Some(bearer) = subject else { return Ok(Decision::Deny(Denial::Hidden)) };
        if (self.record_id)(record) != bearer.claims().record() {
            return Ok(Decision::Deny(Denial::Hidden));
        }
        match (self.find_issuer)(bearer.claims().issuer()).await? {
            None => Ok(Decision::Deny(Denial::Hidden)),
            // As a gate would ask if the issuer came themselves; and nothing about them is for the bearer to know.
            Some(issuer) => {
                let Some(imposed) = terms(self.issuer_rule.admits(&issuer).await?) else {
                    return Ok(Decision::Deny(Denial::Hidden));
                };
                let Some(also) = terms(self.issuer_rule.authorize(&issuer, record).await?) else {
                    return Ok(Decision::Deny(Denial::Hidden));
                };
                // Without the gate's `usage_limit` no use would ever be spent.
                Ok(Decision::AllowWith(imposed.stricter(also).limited_uses()))
            }
        }
    }
}

/// Under which terms a decision allows, if it does.
fn terms(decision: Decision) -> Option<Terms> {
    match decision {
        Decision::Allow => Some(Terms::new()),
        Decision::AllowWith(terms) => Some(terms),
        Decision::Deny(_) => None,
    }
}

impl<R, A, F> fmt::Debug for LinkAuthorizer<R, A, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LinkAuthorizer").finish_non_exhaustive()
    }
}
