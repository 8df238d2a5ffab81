//! [`Site`]: the whole demo behind one value.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use secure_download::links::{LinkBearer, Links};
use secure_download::{DeliveryStrategy, FirstOf, Gate, Guard, Stream};

use crate::bucket::Bucket;
use crate::drain::Drain;
use crate::options::{ProxyName, StrategyName};
use crate::page;
use crate::passwords::Passwords;
use crate::private::Access;
use crate::proxy::{Agreement, Proxy};
use crate::rules::{self, StoredFile, Traffic, Watch};
use crate::samples;
use crate::session::SessionCookie;
use crate::store::{Store, User};
use crate::upload::{Media, Quota};
use crate::{Options, PublicUrl, audit, kept_key, links, proxy, public_url};

/// Pages, storage and rules of one demo.
#[derive(Debug)]
pub struct Site {
    pub(crate) store: Store,
    pub(crate) media: Media,
    pub(crate) passwords: Passwords,
    pub(crate) traffic: Arc<Traffic>,
    pub(crate) strategy: &'static str,
    pub(crate) max_upload: u64,
    pub(crate) quota: Quota,
    pub(crate) stall: Duration,
    pub(crate) drain: Drain,
    pub(crate) links: Links,
    pub(crate) session_cookie: SessionCookie,
    pub(crate) public_url: Option<PublicUrl>,
    /// Whether browsers come by HTTPS.
    pub(crate) https: bool,
    pub(crate) has_sample_users: bool,
    pub(crate) agreement: Option<Agreement>,
    pub(crate) bucket: Option<Arc<Bucket>>,
    pub(crate) link_gate: Gate<Option<LinkBearer>, StoredFile>,
    gate: Gate<Option<User>, StoredFile>,
    guard: Option<Guard>,
}

impl Site {
    /// Opens the data folder; makes it, with sample files in it, on the first run.
    ///
    /// # Errors
    /// [`StartError`] says which part of the folder cannot be used.
    pub async fn open(options: &Options) -> Result<Self, StartError> {
        let folder = &options.data;
        let failed = |error: &dyn std::fmt::Display| {
            StartError::new(format!("cannot use the data folder {}: {error}", folder.display()))
        };
        let access = proxy::access(options)?;
        access.open_data_folder(folder).map_err(|error| failed(&error))?;
        let log = options.audit.as_deref().map(|file| {
            audit::open(file).map_err(|error| {
                StartError::new(format!("cannot write the audit log {}: {error}", file.display()))
            })
        });
        let log = log.transpose()?;
        let bucket = if options.mask || options.strategy == StrategyName::Presign {
            let opened = Bucket::open(options).await;
            let opened =
                opened.map_err(|error| StartError::new(format!("cannot use the bucket: {error}")))?;
            Some(Arc::new(opened))
        } else {
            None
        };
        if let Some(bucket) = bucket.as_ref().filter(|_| !options.mask) {
            page::allow_pictures_from(&bucket.origin());
        }
        // What a bucket shall hold is collected beside it.
        let media_folder = folder.join(if bucket.is_some() { "incoming" } else { "media" });
        let access = if bucket.is_some() { Access::default() } else { access };
        let media = Media::open(&media_folder, access, bucket.clone());
        let media = media.map_err(|error| failed(&error))?;
        let store = Store::open(&folder.join("demo.db")).map_err(|error| failed(&error))?;
        let link_key = kept_key::load_or_create(&folder.join("links.key")).map_err(|error| failed(&error))?;
        let users = store.admit(options.credentials()).await.map_err(|error| failed(&error))?;
        samples::add_on_first_run(folder, &store, &media, &users).await.map_err(|error| failed(&error))?;
        let keys = store.keys().await.map_err(|error| failed(&error))?;
        media.sweep(&HashSet::from_iter(keys)).map_err(|error| failed(&error))?;
        let passwords = Passwords::new().map_err(|error| failed(&error))?;
        if let Some(url) = &options.public_url {
            public_url::live_at(url);
        }
        let cookie_id = store.cookie_id().await.map_err(|error| failed(&error))?;

        let links = links::open(&options.links, &link_key, &store)
            .await
            .map_err(|error| StartError { message: format!("cannot keep links: {}", whole(&*error)) })?;

        let agreement = match (&bucket, options.proxy) {
            (Some(bucket), proxy) if options.mask => {
                let proxy = proxy.unwrap_or_else(ProxyName::for_a_bucket);
                Some(Agreement::over_bucket(folder, &bucket.origin(), proxy)?)
            }
            (None, Some(proxy)) if options.strategy == StrategyName::Accel => {
                Some(Agreement::over_folder(folder, &media_folder, proxy)?)
            }
            _ => None,
        };
        let delivery = Delivery::choose(options, bucket.as_deref(), &media_folder, agreement.as_ref())?;
        let Delivery { name, strategy, guard } = delivery;
        let traffic = Arc::<Traffic>::default();
        let watch = Watch::new(Arc::clone(&traffic), log);
        Ok(Self {
            strategy: name,
            guard,
            agreement,
            gate: rules::gate(&store, Arc::clone(&strategy), options, watch.clone()),
            link_gate: rules::link_gate(&store, strategy, options, links.clone(), watch),
            links,
            bucket,
            traffic,
            store,
            media,
            passwords,
            max_upload: options.max_upload,
            quota: Quota::new(options.quota),
            stall: Duration::from_secs(options.stall_seconds.get()),
            drain: Drain::new(Duration::from_secs(options.drain)),
            session_cookie: SessionCookie::new(&cookie_id, options.is_https()),
            public_url: options.public_url.clone(),
            https: options.is_https(),
            has_sample_users: options.has_sample_users(),
        })
    }

    /// The gate that every download goes through.
    #[must_use]
    pub fn gate(&self) -> &Gate<Option<User>, StoredFile> {
        &self.gate
    }

    /// What keeps the hand-off to where it belongs, for the outermost layer; only with a proxy.
    #[must_use]
    pub fn guard(&self) -> Option<&Guard> {
        self.guard.as_ref()
    }

    /// With `--strategy accel` or `--mask`, starts the reverse proxy in front of the application that listens at `app`. Blocks until
    /// the proxy listens.
    ///
    /// # Errors
    /// [`StartError`] says what to install, or what the proxy says.
    pub fn start_proxy(&self, options: &Options, app: SocketAddr) -> Result<Option<Proxy>, StartError> {
        self.agreement.as_ref().map(|agreement| agreement.start(options, app)).transpose()
    }

    /// How long a client may send nothing, or nothing that brings an upload on.
    #[must_use]
    pub fn patience(&self) -> Duration {
        self.stall
    }
}

/// How the command line wants files to be delivered.
struct Delivery {
    name: &'static str,
    strategy: Arc<dyn DeliveryStrategy>,
    guard: Option<Guard>,
}

impl Delivery {
    /// Behind every other strategy stands one that streams: for what did not come through the proxy, what a proxy or a
    /// signed URL cannot do.
    fn choose(
        options: &Options,
        bucket: Option<&Bucket>,
        media: &Path,
        agreement: Option<&Agreement>,
    ) -> Result<Self, StartError> {
        if let Some(bucket) = bucket {
            return match agreement {
                Some(agreement) => {
                    let masked = agreement.masked(bucket.signer())?;
                    let guard = masked.guard();
                    Ok(Self::new(masked.name(), FirstOf::new(masked).or(bucket.streamed())).guarded(guard))
                }
                None => Ok(Self::new("presign", bucket.strategy(options.expires.map(Duration::from_secs)))),
            };
        }
        let stream = Stream::local(media)
            .map_err(|error| StartError::new(format!("cannot use {}: {error}", media.display())))?;
        match agreement.and_then(Agreement::accel) {
            Some(accel) => {
                let guard = accel.guard();
                Ok(Self::new(accel.name(), FirstOf::new(accel).or(stream)).guarded(guard))
            }
            None => Ok(Self::new(stream.name(), stream)),
        }
    }

    fn new(name: &'static str, strategy: impl DeliveryStrategy + 'static) -> Self {
        Self { name, strategy: Arc::new(strategy), guard: None }
    }

    fn guarded(self, guard: Guard) -> Self {
        Self { guard: Some(guard), ..self }
    }
}

/// An error with its causes, in one line.
fn whole(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

/// Why the demo did not start, in one line.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct StartError {
    message: String,
}

impl StartError {
    pub(crate) fn new(message: String) -> Self {
        Self { message }
    }
}
