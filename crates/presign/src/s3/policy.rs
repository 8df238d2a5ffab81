//! [`S3Policy`]: what temporary credentials or a user may do, as IAM reads it.

use secure_download_core::FileKey;

use super::S3Bucket;
use crate::json;

/// A policy that allows a few things and nothing else, as compact JSON.
///
/// Policies know wildcards and variables in the names they apply to. A name that holds `*`, `?` or `$` could mean more
/// than itself, so it is refused rather than escaped: not every server knows the escapes.
///
/// ```
/// use secure_download_core::FileKey;
/// use secure_download_presign::{S3Bucket, S3Policy};
///
/// let bucket = S3Bucket::aws("eu-central-1", "scans")?;
/// let policy = S3Policy::read_object(&bucket, &FileKey::parse("2026/a.png")?)?;
/// assert_eq!(
///     policy.as_json(),
///     r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["s3:GetObject"],"Resource":["arn:aws:s3:::scans/2026/a.png"]}]}"#,
/// );
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct S3Policy {
    json: String,
}

impl S3Policy {
    /// Allows to read exactly this object, in its current version.
    ///
    /// # Errors
    /// [`S3PolicyError`] if the key could mean more than one object.
    pub fn read_object(bucket: &S3Bucket, key: &FileKey) -> Result<Self, S3PolicyError> {
        Self::render(bucket, &["s3:GetObject"], key.as_str(), "", None)
    }

    /// Allows to read exactly this version of exactly this object.
    ///
    /// # Errors
    /// [`S3PolicyError`] if key or version could mean more than one.
    pub fn read_version(bucket: &S3Bucket, key: &FileKey, version: &str) -> Result<Self, S3PolicyError> {
        Self::render(bucket, &["s3:GetObjectVersion"], key.as_str(), "", Some(version))
    }

    /// Allows to read and write objects whose key starts with `prefix`, and neither to list nor to delete them: all that
    /// an application needs which uploads and presigns. An empty prefix means every object of the bucket; any other ends
    /// with `/`.
    ///
    /// # Errors
    /// [`S3PolicyError`] if the prefix could mean more than itself.
    pub fn read_and_write(bucket: &S3Bucket, prefix: &str) -> Result<Self, S3PolicyError> {
        let folder = prefix.strip_suffix('/');
        if !prefix.is_empty() && folder.is_none_or(|folder| FileKey::parse(folder).is_err()) {
            return Err(S3PolicyError::Prefix);
        }
        Self::render(bucket, &["s3:GetObject", "s3:PutObject"], prefix, "*", None)
    }

    /// The policy as JSON without white space, in ASCII.
    #[must_use]
    pub fn as_json(&self) -> &str {
        &self.json
    }

    fn render(
        bucket: &S3Bucket,
        actions: &[&str],
        name: &str,
        rest: &str,
        version: Option<&str>,
    ) -> Result<Self, S3PolicyError> {
        if name.contains(['*', '?', '$']) || version.is_some_and(|version| version.contains(['*', '?', '$']))
        {
            return Err(S3PolicyError::Wildcard);
        }
        let mut json =
            String::from("{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Action\":[");
        for (position, action) in actions.iter().enumerate() {
            if position > 0 {
                json.push(',');
            }
            json::push_string(&mut json, action);
        }
        json.push_str("],\"Resource\":[");
        let partition = bucket.partition();
        json::push_string(&mut json, &format!("arn:{partition}:s3:::{}/{name}{rest}", bucket.name()));
        json.push(']');
        if let Some(version) = version {
            json.push_str(",\"Condition\":{\"StringEquals\":{\"s3:VersionId\":");
            json::push_string(&mut json, version);
            json.push_str("}}");
        }
        json.push_str("}]}");
        Ok(Self { json })
    }
}

/// Why no policy can be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum S3PolicyError {
    /// The name holds `*`, `?` or `$`.
    #[error("`*`, `?` and `$` would make the policy cover more than this one name")]
    Wildcard,
    /// The prefix is neither empty nor a key with `/` behind it.
    #[error("a prefix is empty, or a file key followed by `/`")]
    Prefix,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_names_one_object_or_is_not_written() {
        let bucket = S3Bucket::at("https://s3.example", "us-east-1", "scans").expect("a bucket");
        let key = |key: &str| FileKey::parse(key).expect("a key");
        for bad in ["*", "a*", "a?", "${aws:username}/a", "a$"] {
            assert_eq!(S3Policy::read_object(&bucket, &key(bad)), Err(S3PolicyError::Wildcard), "{bad}");
        }
        let version = S3Policy::read_version(&bucket, &key("a"), "*");
        assert_eq!(version, Err(S3PolicyError::Wildcard));
        let odd = S3Policy::read_object(&bucket, &key("ü\"}],/b c")).expect("written");
        let parsed: serde_json::Value = serde_json::from_str(odd.as_json()).expect("JSON");
        assert_eq!(parsed["Statement"][0]["Resource"][0], "arn:aws:s3:::scans/ü\"}],/b c");
        assert!(odd.as_json().is_ascii());
        let version = S3Policy::read_version(&bucket, &key("a"), "v\"1").expect("written");
        let parsed: serde_json::Value = serde_json::from_str(version.as_json()).expect("JSON");
        assert_eq!(parsed["Statement"][0]["Condition"]["StringEquals"]["s3:VersionId"], "v\"1");
        assert_eq!(parsed["Statement"][0]["Action"][0], "s3:GetObjectVersion");
    }

    #[test]
    fn a_prefix_is_a_folder() {
        let bucket = S3Bucket::aws("cn-north-1", "scans").expect("a bucket");
        for (prefix, resource) in [("", "arn:aws-cn:s3:::scans/*"), ("a/b/", "arn:aws-cn:s3:::scans/a/b/*")] {
            let policy = S3Policy::read_and_write(&bucket, prefix).expect("written");
            let parsed: serde_json::Value = serde_json::from_str(policy.as_json()).expect("JSON");
            assert_eq!(parsed["Statement"][0]["Resource"], serde_json::json!([resource]));
            assert_eq!(parsed["Statement"][0]["Action"], serde_json::json!(["s3:GetObject", "s3:PutObject"]));
        }
        for bad in ["a", "/", "../", "a//", "a*"] {
            assert_eq!(S3Policy::read_and_write(&bucket, bad), Err(S3PolicyError::Prefix), "{bad}");
        }
        assert_eq!(S3Policy::read_and_write(&bucket, "a*/"), Err(S3PolicyError::Wildcard));
    }
}
