//! [`AssumeRole`]: the request, ready to be sent.
//!
//! <https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html>

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use http::header::{AUTHORIZATION, CONTENT_TYPE, HOST, HeaderName};
use http::{HeaderValue, Request, Response};
use secure_download_core::BoxError;
use sha2::{Digest as _, Sha256};

use super::StsError;
use super::response::read;
use crate::endpoint::{self, Endpoint};
use crate::hex::hex;
use crate::renewed::Lasting as _;
use crate::s3::day::{ALGORITHM, Day};
use crate::s3::{Credentials, S3Policy};
use crate::timestamp::Timestamp;
use crate::{percent, timestamp};

const FORM: &str = "application/x-www-form-urlencoded; charset=utf-8";
const X_AMZ_DATE: HeaderName = HeaderName::from_static("x-amz-date");
const X_AMZ_SECURITY_TOKEN: HeaderName = HeaderName::from_static("x-amz-security-token");

/// The shortest session that AWS gives.
const SHORTEST: Duration = Duration::from_secs(900);

/// Where temporary credentials are asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StsEndpoint {
    scheme: &'static str,
    host: String,
    /// Begins with `/`.
    path: String,
    region: String,
}

impl StsEndpoint {
    /// AWS in `region`.
    ///
    /// # Errors
    /// [`StsError::Endpoint`] if that is no region.
    pub fn aws(region: &str) -> Result<Self, StsError> {
        let suffix = if region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" };
        Self::at(&format!("https://sts.{region}.{suffix}"), region)
    }

    /// Any server: scheme, host and port, and a path if it has one. Those that have no regions want `us-east-1`.
    ///
    /// # Errors
    /// [`StsError::Endpoint`] if it is more or less than that.
    pub fn at(endpoint: &str, region: &str) -> Result<Self, StsError> {
        let Endpoint { scheme, authority: host, path } =
            endpoint::parse(endpoint).ok_or(StsError::Endpoint)?;
        if !endpoint::is_region(region) {
            return Err(StsError::Endpoint);
        }
        // The root is a path too; any other stands as it was given.
        let path = if path.is_empty() { "/".to_owned() } else { path };
        Ok(Self { scheme, host, path, region: region.to_owned() })
    }
}

/// Asks for temporary credentials that can do what the role may *and* a policy allows: with
/// [`S3Policy::read_object`], to read one object.
///
/// This builds the signed request and reads the answer; [`AssumeRole::call`] does both around the application's own
/// HTTP client.
///
/// ```
/// use secure_download_core::FileKey;
/// use secure_download_presign::{AssumeRole, Credentials, S3Bucket, S3Policy, StsEndpoint};
/// use std::time::SystemTime;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let credentials = Credentials::new("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")?;
/// let endpoint = StsEndpoint::aws("eu-central-1")?;
/// let role = AssumeRole::new("arn:aws:iam::123456789012:role/downloads", "scan-7")?;
/// let bucket = S3Bucket::aws("eu-central-1", "scans")?;
/// let policy = S3Policy::read_object(&bucket, &FileKey::parse("2026/a.png")?)?;
/// let request = role.request(&endpoint, &credentials, &policy, SystemTime::now())?;
/// assert_eq!(request.uri(), "https://sts.eu-central-1.amazonaws.com/");
/// // Send it, then: let credentials = AssumeRole::response(&response)?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AssumeRole {
    role_arn: String,
    session_name: String,
    external_id: Option<String>,
    duration: Duration,
}

impl AssumeRole {
    /// The role `role_arn`, for fifteen minutes. The store's log will name the session by `session_name`: 2 to 64
    /// letters, digits and `+=,.@-_`.
    ///
    /// # Errors
    /// [`StsError::Role`] if either is malformed.
    pub fn new(role_arn: impl Into<String>, session_name: impl Into<String>) -> Result<Self, StsError> {
        let (role_arn, session_name) = (role_arn.into(), session_name.into());
        let named = |c: char| c.is_ascii_alphanumeric() || "+=,.@-_".contains(c);
        let session = (2..=64).contains(&session_name.len()) && session_name.chars().all(named);
        if !session || !role_arn.starts_with("arn:") || !role_arn.chars().all(|c| c.is_ascii_graphic()) {
            return Err(StsError::Role);
        }
        Ok(Self { role_arn, session_name, external_id: None, duration: SHORTEST })
    }

    /// How long the credentials shall live: at least fifteen minutes, at most what the role allows.
    #[must_use]
    pub fn duration(mut self, duration: Duration) -> Self {
        self.duration = duration.max(SHORTEST);
        self
    }

    /// The external id that the role's trust policy asks for.
    #[must_use]
    pub fn external_id(mut self, id: impl Into<String>) -> Self {
        self.external_id = Some(id.into());
        self
    }

    /// The request, signed at `now`. Its headers and those of a log must not meet: `Authorization` and the session
    /// token are marked sensitive.
    ///
    /// # Errors
    /// [`StsError::Expired`] if `credentials` have ended. [`StsError::Endpoint`] if a header cannot be written.
    pub fn request(
        &self,
        endpoint: &StsEndpoint,
        credentials: &Credentials,
        policy: &S3Policy,
        now: SystemTime,
    ) -> Result<Request<String>, StsError> {
        let now = Timestamp::new(now).ok_or(StsError::Expired)?;
        if credentials.left(now.system_time()).is_zero() {
            return Err(StsError::Expired);
        }
        let body = self.form(policy);
        let token = credentials.expose_session_token();
        let day = Day::new(&Arc::new(credentials.clone()), &endpoint.region, "sts", now);
        let date = now.basic();

        let mut canonical = Sha256::new();
        canonical.update(format!(
            "POST\n{}\n\ncontent-type:{FORM}\nhost:{}\nx-amz-date:{date}\n",
            endpoint.path, endpoint.host
        ));
        let mut signed_headers = "content-type;host;x-amz-date".to_owned();
        if let Some(token) = token {
            canonical.update("x-amz-security-token:");
            canonical.update(token);
            canonical.update("\n");
            signed_headers.push_str(";x-amz-security-token");
        }
        canonical.update(format!("\n{signed_headers}\n"));
        canonical.update(hex(Sha256::digest(&body).into()));
        let signature = day.sign(now, canonical.finalize().into());
        let mut authorization = format!(
            "{ALGORITHM} Credential={}/{}, SignedHeaders={signed_headers}, Signature=",
            credentials.access_key(),
            day.scope()
        );
        authorization.extend(signature.map(char::from));

        let sensitive = |text: &str| {
            let mut value = HeaderValue::try_from(text).map_err(|_| StsError::Endpoint)?;
            value.set_sensitive(true);
            Ok::<_, StsError>(value)
        };
        let mut request = Request::post(format!("{}://{}{}", endpoint.scheme, endpoint.host, endpoint.path))
            .header(CONTENT_TYPE, FORM)
            .header(HOST, &endpoint.host)
            .header(X_AMZ_DATE, date)
            .header(AUTHORIZATION, sensitive(&authorization)?);
        if let Some(token) = token {
            request = request.header(X_AMZ_SECURITY_TOKEN, sensitive(token)?);
        }
        request.body(body).map_err(|_| StsError::Endpoint)
    }

    /// Reads the answer.
    ///
    /// # Errors
    /// [`StsError::Refused`] with the server's code if it gave no credentials, [`StsError::Answer`] if it makes no
    /// sense.
    pub fn response(response: &Response<impl AsRef<[u8]>>) -> Result<Credentials, StsError> {
        read(response.status(), response.body().as_ref())
    }

    /// Sends the request with `send`, and reads the answer.
    ///
    /// # Errors
    /// As [`AssumeRole::request`] and [`AssumeRole::response`]; [`StsError::Transport`] if `send` fails.
    pub async fn call<B, F>(
        &self,
        endpoint: &StsEndpoint,
        credentials: &Credentials,
        policy: &S3Policy,
        now: SystemTime,
        send: impl FnOnce(Request<String>) -> F,
    ) -> Result<Credentials, StsError>
    where
        B: AsRef<[u8]>,
        F: Future<Output = Result<Response<B>, BoxError>>,
    {
        let request = self.request(endpoint, credentials, policy, now)?;
        Self::response(&send(request).await.map_err(StsError::Transport)?)
    }

    /// A space is `%20`: not every server reads `+`.
    fn form(&self, policy: &S3Policy) -> String {
        let mut form = "Action=AssumeRole&Version=2011-06-15&DurationSeconds=".to_owned();
        timestamp::push_number(&mut form, self.duration.as_secs());
        let mut push = |name: &str, value: &str| {
            form.push_str(name);
            percent::push(&mut form, value);
        };
        push("&RoleArn=", &self.role_arn);
        push("&RoleSessionName=", &self.session_name);
        if let Some(id) = &self.external_id {
            push("&ExternalId=", id);
        }
        push("&Policy=", policy.as_json());
        form
    }
}
