//! How the library is used: what a file is, who may download it, how refusals look, what is counted.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use http::HeaderValue;
use http::StatusCode;
use http::header::{CONTENT_SECURITY_POLICY, X_FRAME_OPTIONS};
use secure_download::links::{LinkAuthorizer, LinkBearer, Links};
use secure_download::observe::JsonLines;
use secure_download::{
    Authorizer, BoxError, Catalog, Concurrency, ContentPolicy, Decision, DeliveryStrategy, Denial, Download,
    Event, FileKey, Gate, Observer, Outcome, Record, RefusalPage, Terms, authorize_with, signed_in,
};

use crate::page::page_policy;
use crate::pages::refusal_markup;
use crate::store::{FileRow, Store, User};
use crate::{Options, log_failure};

/// How many downloads of one link may run at once: a download manager opens several connections, and the holder of one
/// link shall not take every place.
const DOWNLOADS_OF_A_LINK: usize = 8;

/// A file with everything that delivery needs.
#[derive(Debug, Clone)]
pub struct StoredFile {
    row: FileRow,
    key: FileKey,
}

impl Record for StoredFile {
    fn download(&self) -> Download {
        let download = Download::new(self.key.clone());
        let download = download.filename(&self.row.name).content_type(&self.row.content_type);
        let download = download.length(self.row.size);
        // Checked while it was uploaded. Without a charset, browsers show UTF-8 wrongly.
        if self.row.is_utf8 { download.text_is_utf8() } else { download }
    }
}

/// The id in a URL names a row of the database.
#[async_trait]
impl Catalog for Store {
    type Record = StoredFile;

    async fn find(&self, id: &str) -> Result<Option<StoredFile>, BoxError> {
        let Some(row) = self.file(id).await? else { return Ok(None) };
        let key = FileKey::parse(&row.key)?;
        Ok(Some(StoredFile { row, key }))
    }
}

/// The owner, and whoever the owner shared the file with.
fn owner_or_shared(store: Store, options: &Options) -> impl Authorizer<User, StoredFile> + use<> {
    let terms = options.rate.map_or(Terms::new(), |rate| Terms::new().rate(rate));
    authorize_with(move |user: &User, file: &StoredFile| {
        let (store, user, owner, id) = (store.clone(), user.id, file.row.owner, file.row.id.clone());
        async move {
            let may_read = user == owner || store.is_shared(&id, user).await?;
            Ok(if may_read { Decision::AllowWith(terms) } else { Decision::Deny(Denial::Default) })
        }
    })
}

/// For people who are signed in.
pub(crate) fn gate(
    store: &Store,
    strategy: impl DeliveryStrategy + 'static,
    options: &Options,
    watch: Watch,
) -> Gate<Option<User>, StoredFile> {
    let per_user = |user: &Option<User>| user.as_ref().map_or_else(String::new, |user| user.id.to_string());
    Gate::builder(store.clone())
        .authorizer(signed_in(owner_or_shared(store.clone(), options)))
        .subject_label(|user: &Option<User>| user.as_ref().map_or("anonymous", |user| &user.name).into())
        .strategy(strategy)
        .content_policy(ContentPolicy::new().inline_pdf())
        .concurrency(
            Concurrency::new(options.max_downloads).per_subject(options.max_downloads_per_user, per_user),
        )
        .refusals(refusal_page)
        .observer(watch)
        .build()
}

/// For people who came with a link: the same files, the same strategy, as long as whoever made the link may see the file.
pub(crate) fn link_gate(
    store: &Store,
    strategy: impl DeliveryStrategy + 'static,
    options: &Options,
    links: Links,
    watch: Watch,
) -> Gate<Option<LinkBearer>, StoredFile> {
    let users = store.clone();
    let issuer = move |id: &str| {
        let (users, id) = (users.clone(), id.to_owned());
        async move { Ok(users.user_of(&id).await?) }
    };
    let rule = owner_or_shared(store.clone(), options);
    Gate::builder(store.clone())
        .authorizer(LinkAuthorizer::new(|file: &StoredFile| file.row.id.as_str().into(), rule, issuer))
        .subject_label(|bearer: &Option<LinkBearer>| match bearer {
            Some(bearer) => format!("link {}", bearer.claims().id()).into(),
            None => "no link".into(),
        })
        .strategy(strategy)
        .usage_limit(links)
        .content_policy(ContentPolicy::new().inline_pdf())
        .concurrency(Concurrency::new(options.max_downloads).per_subject(
            DOWNLOADS_OF_A_LINK,
            |bearer: &Option<LinkBearer>| {
                bearer.as_ref().map_or_else(String::new, |bearer| bearer.claims().id().to_string())
            },
        ))
        .refusals(refusal_page)
        .observer(watch)
        .build()
}

/// The site's own page for a refusal.
fn refusal_page(status: StatusCode) -> RefusalPage {
    RefusalPage::html(refusal_markup(status, ""))
        .header(CONTENT_SECURITY_POLICY, page_policy())
        .header(X_FRAME_OPTIONS, HeaderValue::from_static("DENY"))
}

/// What looks on: the page's counters, and the audit log if there is one.
#[derive(Debug, Clone)]
pub(crate) struct Watch {
    traffic: Arc<Traffic>,
    log: Option<JsonLines>,
}

impl Watch {
    pub(crate) fn new(traffic: Arc<Traffic>, log: Option<JsonLines>) -> Self {
        Self { traffic, log }
    }
}

impl Observer for Watch {
    fn observe(&self, event: &Event<'_>) {
        self.traffic.observe(event);
        if let Some(log) = &self.log {
            log.observe(event);
        }
    }

    fn ready(&self) -> Result<(), BoxError> {
        self.log.as_ref().map_or(Ok(()), Observer::ready)
    }
}

/// What was delivered since the start, for the page to tell.
#[derive(Debug, Default)]
pub(crate) struct Traffic {
    downloads: AtomicU64,
    bytes: AtomicU64,
}

impl Traffic {
    /// How many downloads ended.
    pub(crate) fn downloads(&self) -> u64 {
        self.downloads.load(Ordering::Relaxed)
    }

    /// How many bytes of files this program sent itself.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    fn observe(&self, event: &Event<'_>) {
        match event {
            Event::Delivered { outcome, .. } => {
                self.downloads.fetch_add(1, Ordering::Relaxed);
                if let Outcome::Sent { bytes } | Outcome::Cut { bytes } = outcome {
                    self.bytes.fetch_add(*bytes, Ordering::Relaxed);
                }
            }
            // The visitor only sees the status; what went wrong inside is for the log.
            Event::Refused { status, reason, .. } if status.is_server_error() => {
                log_failure("a download was refused", reason);
            }
            _ => {}
        }
    }
}
