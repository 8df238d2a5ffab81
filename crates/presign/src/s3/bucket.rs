//! [`S3Bucket`]: where a bucket is reached.

use crate::endpoint::{self, Endpoint};

/// A bucket, the region that its signatures name, and the address under which clients reach it.
///
/// | style | address of the object `a/b` |
/// |---|---|
/// | path | `https://s3.example/bucket/a/b` |
/// | virtual host | `https://bucket.s3.example/a/b` |
///
/// ```
/// use secure_download_presign::S3Bucket;
///
/// let aws = S3Bucket::aws("eu-central-1", "scans")?;
/// assert_eq!(aws.url(), "https://scans.s3.eu-central-1.amazonaws.com/");
/// let own = S3Bucket::at("https://minio.example:9000", "us-east-1", "scans")?;
/// assert_eq!(own.url(), "https://minio.example:9000/scans/");
/// assert_eq!(own.virtual_host()?.url(), "https://scans.minio.example:9000/");
/// # Ok::<(), secure_download_presign::S3BucketError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct S3Bucket {
    scheme: &'static str,
    /// The endpoint's host, and its port unless that is the scheme's own.
    authority: String,
    /// The endpoint's path: empty, or `/` and more, without one at the end.
    path: String,
    region: String,
    bucket: String,
    virtual_host: bool,
    /// What the URL of every object starts with; ends with `/`.
    prefix: String,
    /// The length of scheme and host in `prefix`: where the path begins.
    origin: usize,
    /// The `Host` that clients send.
    host: String,
}

impl S3Bucket {
    /// A bucket of AWS in `region`, in virtual-host style; in path style if its name has dots, which no certificate
    /// of AWS covers as a host.
    ///
    /// # Errors
    /// [`S3BucketError`] says what is wrong with region or name.
    pub fn aws(region: &str, bucket: &str) -> Result<Self, S3BucketError> {
        let suffix = if region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" };
        let bucket = Self::at(&format!("https://s3.{region}.{suffix}"), region, bucket)?;
        if bucket.bucket.contains('.') { Ok(bucket) } else { bucket.virtual_host() }
    }

    /// A bucket of any server, in path style. `endpoint` is scheme, host and, if it is not the scheme's own, port, as
    /// clients reach it; behind them a path if the server has one, as Supabase's `https://PROJECT.supabase.co/storage/v1/s3`.
    ///
    /// # Errors
    /// [`S3BucketError`] says what is wrong with endpoint, region or name.
    pub fn at(endpoint: &str, region: &str, bucket: &str) -> Result<Self, S3BucketError> {
        let Endpoint { scheme, authority, path } =
            endpoint::parse(endpoint).ok_or(S3BucketError::Endpoint)?;
        if !endpoint::is_region(region) {
            return Err(S3BucketError::Region);
        }
        // Written into signature and URL as it is.
        let plain = bucket.chars().all(|c| c.is_ascii_alphanumeric() || "-._".contains(c));
        let length = (3..=255).contains(&bucket.len());
        if !length || !plain || bucket.starts_with('.') || bucket.contains("..") {
            return Err(S3BucketError::Bucket);
        }
        Ok(Self {
            scheme,
            prefix: format!("{scheme}://{authority}{path}/{bucket}/"),
            origin: scheme.len() + 3 + authority.len(),
            host: authority.clone(),
            authority,
            path,
            region: region.to_owned(),
            bucket: bucket.to_owned(),
            virtual_host: false,
        })
    }

    /// The same bucket in virtual-host style.
    ///
    /// # Errors
    /// [`S3BucketError::VirtualHost`] if the name is no host name, or has dots and the scheme is `https`, where no
    /// wildcard certificate covers it.
    pub fn virtual_host(mut self) -> Result<Self, S3BucketError> {
        let label = |label: &str| {
            (1..=63).contains(&label.len())
                && !label.starts_with('-')
                && !label.ends_with('-')
                && label
                    .bytes()
                    .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
        };
        let dotted = self.bucket.contains('.');
        let address = self.authority.starts_with('[');
        if !self.bucket.split('.').all(label) || (dotted && self.scheme == "https") || address {
            return Err(S3BucketError::VirtualHost);
        }
        self.host = format!("{}.{}", self.bucket, self.authority);
        self.prefix = format!("{}://{}{}/", self.scheme, self.host, self.path);
        self.origin = self.scheme.len() + 3 + self.host.len();
        self.virtual_host = true;
        Ok(self)
    }

    /// The bucket's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.bucket
    }

    /// The region that signatures name.
    #[must_use]
    pub fn region(&self) -> &str {
        &self.region
    }

    /// What the URL of every object starts with.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.prefix
    }

    /// The first part of ARNs.
    #[cfg(feature = "sts")]
    pub(crate) fn partition(&self) -> &'static str {
        match &self.region {
            region if region.starts_with("cn-") => "aws-cn",
            region if region.starts_with("us-gov-") => "aws-us-gov",
            _ => "aws",
        }
    }

    pub(crate) fn host(&self) -> &str {
        &self.host
    }

    pub(crate) fn origin_length(&self) -> usize {
        self.origin
    }
}

/// Why a bucket cannot be addressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum S3BucketError {
    /// The endpoint is not scheme, host and port, or its path holds more than letters, digits and `-._~` between its `/`.
    #[error(
        "an endpoint is `https://HOST` or `http://HOST`, with `:PORT` and a path of letters, digits and `-._~` if need be"
    )]
    Endpoint,
    /// The region holds other characters than letters, digits, `-` and `_`.
    #[error("a region has letters, digits, `-` and `_`; servers that have none want `us-east-1`")]
    Region,
    /// The name holds other characters than letters, digits, `-`, `_` and single dots, or its length is wrong.
    #[error("a bucket's name has 3 to 255 letters, digits, `-`, `_` and single dots, none in front")]
    Bucket,
    /// The bucket cannot be a host of its own.
    #[error("this bucket cannot be reached as a host: use path style")]
    VirtualHost,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_are_written_as_a_browser_sends_them() {
        for (endpoint, url) in [
            ("https://s3.example", "https://s3.example/bkt/"),
            ("https://S3.Example:443/", "https://s3.example/bkt/"),
            ("http://127.0.0.1:9000", "http://127.0.0.1:9000/bkt/"),
            ("http://[::1]:80", "http://[::1]/bkt/"),
            ("https://s3.example:80", "https://s3.example:80/bkt/"),
            ("https://x.example/storage/v1/s3", "https://x.example/storage/v1/s3/bkt/"),
            ("https://X.example:443/storage/v1/S3/", "https://x.example/storage/v1/S3/bkt/"),
            ("http://[::1]:9000/a~b._-", "http://[::1]:9000/a~b._-/bkt/"),
        ] {
            assert_eq!(S3Bucket::at(endpoint, "r", "bkt").expect(endpoint).url(), url);
        }
        for bad in [
            "",
            "s3.example",
            "ftp://s3.example",
            "https://",
            "https://user@s3.example",
            "https://s3.example/a//b",
            "https://s3.example//",
            "https://s3.example/../b",
            "https://s3.example/a/.",
            "https://s3.example/a%20b",
            "https://s3.example/a+b",
            "https://s3.example/a;b",
            "https://s3.example/ä",
            "https://s3.example/a?b",
            "https://s3.example/a#b",
            "https://s3.example?query",
            "https://s3.example#fragment",
            "https://s3%2eexample",
            "https://s3.example:",
            "https://s3.example:99999",
            "https://s3 .example",
            "https://ä.example",
        ] {
            assert_eq!(S3Bucket::at(bad, "r", "bkt"), Err(S3BucketError::Endpoint), "{bad}");
        }
    }

    #[test]
    fn names_cannot_leave_their_place_in_the_url() {
        for (name, path, host) in [
            ("bkt", true, true),
            ("my.bkt", true, false),
            ("My_bkt", true, false),
            ("-bkt", true, false),
            ("..", false, false),
            (".bk", false, false),
            ("a..b", false, false),
            ("a/b", false, false),
            ("a?b", false, false),
            ("ab", false, false),
            ("ä-bkt", false, false),
        ] {
            let at = S3Bucket::at("https://s3.example", "r", name);
            assert_eq!(at.is_ok(), path, "{name}");
            assert_eq!(at.is_ok_and(|bucket| bucket.virtual_host().is_ok()), host, "{name}");
        }
        let below = S3Bucket::at("https://s3.example/v1/s3", "r", "bkt").and_then(S3Bucket::virtual_host);
        let below = below.expect("a host below a path");
        assert_eq!(below.url(), "https://bkt.s3.example/v1/s3/");
        assert_eq!(&below.url()[below.origin_length()..], "/v1/s3/", "it is signed with its path");
        assert_eq!(S3Bucket::at("https://s3.example", "a/b", "bkt"), Err(S3BucketError::Region));
        let dotted = S3Bucket::at("http://s3.example", "r", "my.bkt").and_then(S3Bucket::virtual_host);
        assert_eq!(dotted.expect("without TLS").url(), "http://my.bkt.s3.example/");
        let aws = |name| S3Bucket::aws("cn-north-1", name).expect("valid").url().to_owned();
        assert_eq!(aws("my.bkt"), "https://s3.cn-north-1.amazonaws.com.cn/my.bkt/");
        assert_eq!(aws("bkt"), "https://bkt.s3.cn-north-1.amazonaws.com.cn/");
    }
}
