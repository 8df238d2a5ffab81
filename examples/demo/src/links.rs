//! Links: made by a file's owner, redeemed by whoever has them.

use std::num::NonZeroU32;
use std::time::Duration;

use http::{HeaderMap, StatusCode};
use secure_download::RequestHead;
use secure_download::links::{
    LinkKey, LinkSigner, Links, MemoryLinkStore, MintError, NewLink, RedisLinkStore, StoreError,
};

use crate::account::out_of_order;
use crate::options::LinkStoreName;
use crate::pages;
use crate::store::{SqliteLinkStore, Store, User};
use crate::{Form, Page, Site, base, log_failure, refusal};

/// The most links that are kept in memory.
const MOST: usize = 100_000;
/// The longest life of a link, in seconds: thirty days.
const LONGEST: u64 = 30 * 24 * 3600;
/// The most links of one user at one time.
const MOST_OF_ONE: u32 = 1000;
/// The most uses of a counted link.
const MOST_USES: u32 = 1000;

/// The links that `store` keeps, signed with `key`.
pub(crate) async fn open(
    name: &LinkStoreName,
    key: &[u8],
    store: &Store,
) -> Result<Links, Box<dyn std::error::Error>> {
    let signer = LinkSigner::new("secure-download demo", &LinkKey::new(1, key)?);
    let links = match name {
        LinkStoreName::Sqlite => Links::new(signer, SqliteLinkStore::new(store.clone())),
        LinkStoreName::Memory => Links::new(signer, MemoryLinkStore::new(MOST)),
        LinkStoreName::Redis(url) => Links::new(signer, RedisLinkStore::connect(url).await?),
    };
    Ok(links.links_per_issuer(MOST_OF_ONE))
}

impl Site {
    /// Answers `POST /files/{id}/links` with the new link. Its form says how many `uses` it has, as many as one likes if
    /// that is empty, and how many `seconds` it lives.
    pub async fn create_link(
        &self,
        visitor: &Option<User>,
        id: &str,
        headers: &HeaderMap,
        form: Result<Form, Page>,
    ) -> Page {
        let (file, form) = match self.own_file(visitor, id).await.and_then(|file| Ok((file, form?))) {
            Ok(both) => both,
            Err(page) => return page,
        };
        let Some(link) = new_link(&file.id, &form) else {
            return refusal(
                StatusCode::UNPROCESSABLE_ENTITY,
                "A link has 1 to 1000 uses, or as many as one likes if that is left empty, and lives 1 second to 30 days.",
            );
        };
        match self.links.mint(link.issued_by(file.owner.to_string())).await {
            Ok(token) => pages::link_made(&file.name, &self.origin(headers), &token),
            Err(MintError::Store(StoreError::IssuerLimit)) => refusal(
                StatusCode::TOO_MANY_REQUESTS,
                "You have as many links as one user may have. Links that expire make room, and so do files that you delete.",
            ),
            Err(error) => {
                log_failure("a link was not made", &error);
                match error {
                    MintError::Text => refusal(StatusCode::INTERNAL_SERVER_ERROR, ""),
                    _ => out_of_order(),
                }
            }
        }
    }

    /// Answers `GET /d/{token}` with a page that has a button. Nothing is spent, so previews may look.
    #[must_use]
    pub fn link(&self, token: &str) -> Page {
        if self.links.look(token).is_some() { pages::link() } else { pages::no_such_link() }
    }

    /// Answers `POST /d/{token}`, which the button sends.
    pub async fn redeem(&self, token: &str) -> Page {
        match self.links.redeem(token).await {
            Ok(Some(redeemed)) => redeemed.into_response(&format!("{}/d/{token}/file", base()), self.https),
            Ok(None) => pages::no_such_link(),
            Err(error) => {
                log_failure("a link was not redeemed", &error);
                out_of_order()
            }
        }
    }

    /// Answers `GET /d/{token}/file`: the file, for whoever redeemed the link.
    pub async fn leased(&self, token: &str, headers: &HeaderMap, head: &RequestHead) -> Page {
        let bearer = self.links.bearer(token, headers);
        let file = bearer.as_ref().map_or("", |bearer| bearer.claims().record());
        self.link_gate.serve(&bearer, file, head).await
    }

    /// A file that is gone has no links any more.
    pub(crate) async fn end_links(&self, file: &str) {
        if let Err(error) = self.links.revoke_record(file).await {
            // They open nothing: the catalog has no such file.
            log_failure("the links of a deleted file are still kept", &error);
        }
    }
}

fn new_link(file: &str, form: &Form) -> Option<NewLink> {
    let seconds =
        form.get("seconds")?.trim().parse().ok().filter(|seconds| (1..=LONGEST).contains(seconds))?;
    let lifetime = Duration::from_secs(seconds);
    match form.get("uses").unwrap_or_default().trim() {
        "" => Some(NewLink::expiring(file, lifetime)),
        uses => {
            let uses: NonZeroU32 = uses.parse().ok().filter(|uses: &NonZeroU32| uses.get() <= MOST_USES)?;
            Some(NewLink::counted(file, uses, lifetime))
        }
    }
}
