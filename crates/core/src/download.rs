//! [`Download`]: what is delivered when a record is granted, and [`Record`], which names it.

use std::borrow::Cow;
use std::num::NonZeroU64;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crate::{ETag, FileKey, Terms};

/// The app's own row for a file: owner, tenant, whatever its authorizer needs.
///
/// A [`Download`] is a record itself, for apps that keep nothing else.
///
/// ```
/// use secure_download_core::{Download, FileKey, Record};
///
/// struct Scan { owner: u64, key: FileKey, name: String }
///
/// impl Record for Scan {
///     fn download(&self) -> Download {
///         Download::new(self.key.clone()).filename(&self.name).content_type("image/png")
///     }
/// }
/// ```
///
/// An `Arc` or a `Box` of a record is a record.
pub trait Record: Send + Sync {
    /// What to deliver once this record is granted. Called after authorisation, never before.
    fn download(&self) -> Download;
}

impl Record for Download {
    fn download(&self) -> Download {
        self.clone()
    }
}

impl<R: Record + ?Sized> Record for Arc<R> {
    fn download(&self) -> Download {
        (**self).download()
    }
}

impl<R: Record + ?Sized> Record for Box<R> {
    fn download(&self) -> Download {
        (**self).download()
    }
}

/// How long a client may keep what it got.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum CachePolicy {
    /// `private, no-store`: nobody keeps a copy.
    #[default]
    NoStore,
    /// `private, max-age=N` in whole seconds: the client's own cache may keep it that long, also after access
    /// was revoked. The answer carries `Vary: Cookie, Authorization`.
    Private {
        /// How long the copy is fresh.
        max_age: Duration,
    },
}

/// One file to deliver: where its bytes are and how the client shall see them.
///
/// ```
/// use secure_download_core::{Download, FileKey};
///
/// let download = Download::new(FileKey::parse("a1/b2")?)
///     .volume("tenant-7")
///     .filename("Röntgen.pdf")
///     .content_type("application/pdf");
/// assert_eq!(download.key().as_str(), "a1/b2");
/// # Ok::<(), secure_download_core::FileKeyError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Download {
    // Text is shared, for a record is cloned on every request.
    key: FileKey,
    volume: Option<Cow<'static, str>>,
    version: Option<Cow<'static, str>>,
    filename: Option<Arc<str>>,
    content_type: Option<Arc<str>>,
    utf8_text: bool,
    etag: Option<ETag>,
    last_modified: Option<SystemTime>,
    length: Option<u64>,
    append_only: bool,
    cache: Option<CachePolicy>,
    terms: Terms,
}

impl Download {
    /// A download of `key` in the strategy's only volume, with the name `download` and no content type.
    #[must_use]
    pub fn new(key: FileKey) -> Self {
        Self {
            key,
            volume: None,
            version: None,
            filename: None,
            content_type: None,
            utf8_text: false,
            etag: None,
            last_modified: None,
            length: None,
            append_only: false,
            cache: None,
            terms: Terms::new(),
        }
    }

    /// The named root folder or bucket that holds the key. A name the strategy was not given is never served.
    #[must_use]
    pub fn volume(mut self, name: impl Into<Cow<'static, str>>) -> Self {
        self.volume = Some(name.into());
        self
    }

    /// The object version, for stores that have versions: exactly this one is delivered.
    #[must_use]
    pub fn version(mut self, id: impl Into<Cow<'static, str>>) -> Self {
        self.version = Some(id.into());
        self
    }

    /// The name under which the client saves the file. Any text will do, an uploader's own too: it is
    /// made safe when it is sent (see [`content_disposition`](crate::content_disposition)).
    #[must_use]
    pub fn filename(mut self, name: impl AsRef<str>) -> Self {
        self.filename = Some(name.as_ref().into());
        self
    }

    /// The media type, RFC 9110 section 8.3.1. Any text will do, an uploader's own too: what is not a media type, or
    /// is longer than 255 bytes, is sent as `application/octet-stream`.
    ///
    /// Browsers show a `text/*` type without a charset in an encoding of their own choice, and UTF-8 wrongly. Write
    /// `text/plain; charset=utf-8`, or declare it with [`Download::text_is_utf8`] or
    /// [`ContentPolicy::text_is_utf8`](crate::ContentPolicy::text_is_utf8).
    #[must_use]
    pub fn content_type(mut self, media_type: impl AsRef<str>) -> Self {
        self.content_type = Some(media_type.as_ref().into());
        self
    }

    /// Declares that this file, if it is text, is UTF-8: a `text/*` type without a charset is sent with
    /// `charset=utf-8`. For applications that check an upload when it comes in.
    ///
    /// ```
    /// use secure_download_core::{Download, FileKey};
    ///
    /// # let bytes = b"Gr\xc3\xbc\xc3\x9fe";
    /// let mut download = Download::new(FileKey::parse("a1/b2")?).content_type("text/csv");
    /// if std::str::from_utf8(bytes).is_ok() {
    ///     download = download.text_is_utf8();
    /// }
    /// # Ok::<(), secure_download_core::FileKeyError>(())
    /// ```
    #[must_use]
    pub fn text_is_utf8(mut self) -> Self {
        self.utf8_text = true;
        self
    }

    /// The app's own validator, RFC 9110 section 8.8.3. A strategy that sends local files uses it in place of the one it
    /// would make of the file: a strong tag must change with every byte. Object stores have tags of their own.
    #[must_use]
    pub fn etag(mut self, etag: ETag) -> Self {
        self.etag = Some(etag);
        self
    }

    /// When the content last changed, as far as the app knows.
    #[must_use]
    pub fn last_modified(mut self, time: SystemTime) -> Self {
        self.last_modified = Some(time);
        self
    }

    /// The length in bytes, as far as the app knows. `Router` may choose by it, and a signed URL lives by it; what is sent
    /// has the length that the file has.
    #[must_use]
    pub fn length(mut self, bytes: u64) -> Self {
        self.length = Some(bytes);
        self
    }

    /// The file only grows: a log, a recording. A strategy that sends local files then sends as many bytes as the file had
    /// when the request came, though more are appended meanwhile. Its entity tag is weak.
    ///
    /// Only appending may go on. Bytes that were there and are overwritten may be sent as a mixture of both.
    #[must_use]
    pub fn append_only(mut self) -> Self {
        self.append_only = true;
        self
    }

    /// How long the client may keep it; nothing by default.
    #[must_use]
    pub fn cache(mut self, policy: CachePolicy) -> Self {
        self.cache = Some(policy);
        self
    }

    /// Delivers inline where the gate's content policy allows it, even if the request does not ask.
    #[must_use]
    pub fn inline(mut self) -> Self {
        self.terms = self.terms.inline();
        self
    }

    /// Delivers as an attachment, even if the request asks for inline.
    #[must_use]
    pub fn attachment(mut self) -> Self {
        self.terms = self.terms.attachment();
        self
    }

    /// The longest life of a URL signed for this file.
    #[must_use]
    pub fn expires(mut self, after: Duration) -> Self {
        self.terms = self.terms.expires(after);
        self
    }

    /// The highest transfer rate of this file, in bytes per second.
    #[must_use]
    pub fn rate(mut self, bytes_per_second: NonZeroU64) -> Self {
        self.terms = self.terms.rate(bytes_per_second);
        self
    }

    /// The storage key.
    #[must_use]
    pub fn key(&self) -> &FileKey {
        &self.key
    }

    /// The volume, if one was named.
    #[must_use]
    pub fn volume_name(&self) -> Option<&str> {
        self.volume.as_deref()
    }

    /// The object version, if one is pinned.
    #[must_use]
    pub fn version_id(&self) -> Option<&str> {
        self.version.as_deref()
    }

    /// The name as the app gave it, not yet made safe.
    #[must_use]
    pub fn raw_filename(&self) -> Option<&str> {
        self.filename.as_deref()
    }

    /// The media type as the app gave it, not yet checked.
    #[must_use]
    pub fn raw_content_type(&self) -> Option<&str> {
        self.content_type.as_deref()
    }

    /// Whether the app declared the text to be UTF-8.
    #[must_use]
    pub fn declares_utf8_text(&self) -> bool {
        self.utf8_text
    }

    /// The app's own entity tag, if known.
    #[must_use]
    pub fn known_etag(&self) -> Option<&ETag> {
        self.etag.as_ref()
    }

    /// The app's own modification time, if known.
    #[must_use]
    pub fn known_last_modified(&self) -> Option<SystemTime> {
        self.last_modified
    }

    /// The length the app knows, if any.
    #[must_use]
    pub fn known_length(&self) -> Option<u64> {
        self.length
    }

    /// Whether the file only grows.
    #[must_use]
    pub fn is_append_only(&self) -> bool {
        self.append_only
    }

    /// The cache policy: [`CachePolicy::NoStore`] where none is named.
    #[must_use]
    pub fn cache_policy(&self) -> CachePolicy {
        self.cache.unwrap_or_default()
    }

    pub(crate) fn set_cache_policy(&mut self, policy: CachePolicy) {
        self.cache = Some(policy);
    }

    /// The cache policy that [`Download::cache`] named.
    #[must_use]
    pub fn known_cache_policy(&self) -> Option<CachePolicy> {
        self.cache
    }

    /// The terms that come with the file.
    #[must_use]
    pub fn terms(&self) -> Terms {
        self.terms
    }
}
