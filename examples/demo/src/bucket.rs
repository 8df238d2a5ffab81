//! The bucket that holds the files with `--strategy presign`: one of a real S3 server, or an embedded one.

use std::fmt;
use std::path::{Path as FilePath, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use object_store::ObjectStore;
use object_store::aws::AmazonS3Builder;
use object_store::buffered::BufWriter;
use object_store::path::Path;
use secure_download::{BoxError, Credentials, FirstOf, Presign, S3Bucket, S3Policy, S3Signer, Stream};
use tokio::io::AsyncWriteExt as _;

use crate::Options;
use crate::embedded_s3::EmbeddedS3;

/// Where the files of a real bucket are: the policy that `--print-policy` prints covers this and nothing else.
const PREFIX: &str = "demo/";
/// The embedded server's bucket: the folder that `--strategy stream` serves from.
const FOLDER: &str = "media";

/// A bucket, a client for uploads and the credentials that sign.
pub(crate) struct Bucket {
    bucket: S3Bucket,
    credentials: Credentials,
    client: Arc<dyn ObjectStore>,
    prefix: &'static str,
    embedded: Option<(EmbeddedS3, PathBuf)>,
}

impl Bucket {
    /// The bucket of the command line, or an embedded one in the data folder.
    pub(crate) async fn open(options: &Options) -> Result<Self, BoxError> {
        if let Some(bucket) = named(options)? {
            let credentials = Credentials::from_env()?;
            let client = client(&bucket, options.s3_endpoint.as_deref(), &credentials)?;
            return Ok(Self { bucket, credentials, client, prefix: PREFIX, embedded: None });
        }
        let folder = options.data.join(FOLDER);
        std::fs::create_dir_all(&folder)?;
        let server = EmbeddedS3::start(&options.data).await?;
        let bucket = S3Bucket::at(server.endpoint(), "us-east-1", FOLDER)?;
        let (access_key, secret_key) = server.user();
        let credentials = Credentials::new(access_key, secret_key)?;
        let client = client(&bucket, Some(server.endpoint()), &credentials)?;
        Ok(Self { bucket, credentials, client, prefix: "", embedded: Some((server, folder)) })
    }

    /// Sends clients to the bucket; what a signed URL cannot keep, such as a transfer rate, is streamed out of it. Without
    /// `expires` the file decides how long its URL lives.
    pub(crate) fn strategy(&self, expires: Option<Duration>) -> FirstOf {
        let presign = Presign::new(self.signer());
        let presign = match expires {
            Some(expires) => presign.expires(expires).max_expires(expires),
            None => presign,
        };
        FirstOf::new(presign).or(self.streamed())
    }

    /// Signs URLs of the bucket's objects.
    pub(crate) fn signer(&self) -> S3Signer {
        S3Signer::new(self.bucket.clone(), self.credentials.clone())
    }

    /// Sends the bucket's objects from here.
    pub(crate) fn streamed(&self) -> Stream {
        Stream::object_store(Arc::clone(&self.client))
    }

    /// Scheme, host and port, from which pages may load pictures.
    pub(crate) fn origin(&self) -> String {
        let url = self.bucket.url();
        let host = url.find("://").map_or(0, |scheme| scheme + 3);
        url[..url[host..].find('/').map_or(url.len(), |end| host + end)].to_owned()
    }

    /// Stores the content of `file` and returns its whole key.
    pub(crate) async fn put(&self, name: &str, file: &FilePath) -> Result<String, BoxError> {
        let key = format!("{}{name}", self.prefix);
        let mut source = tokio::fs::File::open(file).await?;
        let mut object = BufWriter::new(Arc::clone(&self.client), Path::parse(&key)?);
        tokio::io::copy(&mut source, &mut object).await?;
        object.shutdown().await?;
        Ok(key)
    }

    /// Lets the embedded server send what it has begun; it accepts nothing new.
    pub(crate) async fn finish(&self) {
        if let Some((server, _)) = &self.embedded {
            server.finish().await;
        }
    }

    /// Removes a file of the embedded bucket. The policy of a real one forbids it: let a lifecycle rule do so.
    pub(crate) async fn remove(&self, key: &str) {
        if let Some((_, folder)) = &self.embedded {
            let _ = tokio::fs::remove_file(folder.join(key)).await;
        }
    }
}

/// The policy that the demo needs at the bucket of the command line.
pub(crate) fn policy(options: &Options) -> Result<String, String> {
    let bucket = named(options).map_err(|error| error.to_string())?;
    let bucket = bucket.ok_or("--print-policy needs --s3-bucket and --s3-region")?;
    let policy = S3Policy::read_and_write(&bucket, PREFIX).map_err(|error| error.to_string())?;
    Ok(policy.as_json().to_owned())
}

/// The bucket that the command line names.
fn named(options: &Options) -> Result<Option<S3Bucket>, BoxError> {
    let Some(bucket) = &options.s3_bucket else { return Ok(None) };
    let region = options.s3_region.as_deref().unwrap_or("us-east-1");
    Ok(Some(match &options.s3_endpoint {
        Some(endpoint) => S3Bucket::at(endpoint, region, bucket)?,
        None => S3Bucket::aws(region, bucket)?,
    }))
}

fn client(
    bucket: &S3Bucket,
    endpoint: Option<&str>,
    credentials: &Credentials,
) -> Result<Arc<dyn ObjectStore>, BoxError> {
    // Fails only if there is a provider already, which does as well.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut builder = AmazonS3Builder::new()
        .with_region(bucket.region())
        .with_bucket_name(bucket.name())
        .with_access_key_id(credentials.access_key())
        .with_secret_access_key(credentials.expose_secret_key());
    if let Some(token) = credentials.expose_session_token() {
        builder = builder.with_token(token);
    }
    if let Some(endpoint) = endpoint {
        builder = builder.with_endpoint(endpoint).with_allow_http(endpoint.starts_with("http://"));
    }
    Ok(Arc::new(builder.build()?))
}

impl fmt::Debug for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bucket").field("bucket", &self.bucket).finish_non_exhaustive()
    }
}
