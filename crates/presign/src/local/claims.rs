//! [`LocalClaims`]: what a local URL says, and its bytes.

use std::time::SystemTime;

use secure_download_core::{CachePolicy, Download, FileKey, Grant, Record, SignError, safe_filename};

use crate::overrides::Overrides;
use crate::timestamp::Timestamp;

/// What the holder of a local URL may download, and until when. Only a verified signature makes one.
///
/// It is the record of the gate that serves local URLs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalClaims {
    expires_at: u64,
    inline: bool,
    max_age: Option<u64>,
    key: FileKey,
    volume: Option<String>,
    filename: String,
    content_type: String,
}

impl LocalClaims {
    pub(crate) fn of(grant: &Grant, expires_at: Timestamp) -> Result<Self, SignError> {
        let download = grant.download();
        if download.version_id().is_some() {
            return Err(SignError::Inexpressible("a folder has no versions"));
        }
        let overrides = Overrides::of(grant)?;
        let max_age = match download.cache_policy() {
            CachePolicy::NoStore => None,
            CachePolicy::Private { max_age } => Some(max_age.as_secs()),
            _ => return Err(SignError::Inexpressible("an unknown cache policy")),
        };
        Ok(Self {
            expires_at: expires_at.seconds(),
            inline: overrides.content_disposition.starts_with("inline"),
            max_age,
            key: download.key().clone(),
            volume: download.volume_name().map(str::to_owned),
            filename: safe_filename(download.raw_filename().unwrap_or_default()),
            content_type: overrides.content_type.to_owned(),
        })
    }

    /// When the URL stops working.
    #[must_use]
    pub fn expires_at(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(self.expires_at)
    }

    /// Numbers in big endian, then each text behind its length.
    pub(crate) fn to_bytes(&self) -> Result<Vec<u8>, SignError> {
        let mut out = Vec::with_capacity(256);
        out.extend_from_slice(&self.expires_at.to_be_bytes());
        out.push(
            u8::from(self.inline)
                | u8::from(self.max_age.is_some()) << 1
                | u8::from(self.volume.is_some()) << 2,
        );
        out.extend_from_slice(&self.max_age.unwrap_or_default().to_be_bytes());
        let volume = self.volume.as_deref().unwrap_or_default();
        for text in [self.key.as_str(), volume, &self.filename, &self.content_type] {
            let length = u16::try_from(text.len())
                .map_err(|_| SignError::Inexpressible("a name is longer than 65535 bytes"))?;
            out.extend_from_slice(&length.to_be_bytes());
            out.extend_from_slice(text.as_bytes());
        }
        Ok(out)
    }

    /// Reads what [`LocalClaims::to_bytes`] wrote; `None` for anything else.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (expires_at, rest) = bytes.split_first_chunk()?;
        let (&flags, rest) = rest.split_first()?;
        let (max_age, mut rest) = rest.split_first_chunk()?;
        let mut text = || {
            let (length, after) = rest.split_first_chunk()?;
            let (text, after) = after.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
            rest = after;
            std::str::from_utf8(text).ok()
        };
        let (key, volume, filename, content_type) = (text()?, text()?, text()?, text()?);
        let claims = Self {
            expires_at: u64::from_be_bytes(*expires_at),
            inline: flags & 1 != 0,
            max_age: (flags & 2 != 0).then_some(u64::from_be_bytes(*max_age)),
            key: FileKey::parse(key).ok()?,
            volume: (flags & 4 != 0).then(|| volume.to_owned()),
            filename: filename.to_owned(),
            content_type: content_type.to_owned(),
        };
        (rest.is_empty() && flags < 8).then_some(claims)
    }
}

impl Record for LocalClaims {
    fn download(&self) -> Download {
        let mut download =
            Download::new(self.key.clone()).filename(&self.filename).content_type(&self.content_type);
        if let Some(volume) = &self.volume {
            download = download.volume(volume.clone());
        }
        if let Some(max_age) = self.max_age {
            download =
                download.cache(CachePolicy::Private { max_age: std::time::Duration::from_secs(max_age) });
        }
        if self.inline { download.inline() } else { download.attachment() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn claims_are_read_as_they_were_written() {
        let plain = LocalClaims {
            expires_at: 1_700_000_005,
            inline: false,
            max_age: None,
            key: FileKey::parse("a/ü b").expect("a key"),
            volume: None,
            filename: "ü.pdf".to_owned(),
            content_type: "application/pdf".to_owned(),
        };
        let full = LocalClaims {
            inline: true,
            max_age: Some(60),
            volume: Some("seven".to_owned()),
            ..plain.clone()
        };
        let empty_volume = LocalClaims { volume: Some(String::new()), ..plain.clone() };
        for claims in [plain, full, empty_volume] {
            let bytes = claims.to_bytes().expect("written");
            assert_eq!(LocalClaims::from_bytes(&bytes), Some(claims));
            for end in 0..bytes.len() {
                assert_eq!(LocalClaims::from_bytes(&bytes[..end]), None, "cut at {end}");
            }
            assert_eq!(LocalClaims::from_bytes(&[&bytes[..], b"x"].concat()), None);
        }
    }
}
