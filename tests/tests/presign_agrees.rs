//! Our signatures equal those of two independent implementations.
//!
//! Where those are wrong, so that no test compares:
//!
//! - rusty-s3 0.11 signs a key as the `url` crate normalises it: `a/../b` becomes `b`, and `../other/secret` leaves the
//!   bucket. Such keys are no [`FileKey`]s. [`rusty_s3_leaves_the_bucket`] shows it.
//! - aws-sigv4 1.6 signs no URL by itself: the caller has to encode the path as S3 does, switch normalisation off and
//!   single encoding on. Its defaults sign other paths than S3 reads.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials as AwsCredentials;
use aws_sigv4::http_request::{
    PercentEncodingMode, SignableBody, SignableRequest, SignatureLocation, SigningSettings,
    UriPathNormalizationMode, sign,
};
use aws_sigv4::sign::v4::SigningParams;
use http::Method;
use proptest::prelude::*;
use rusty_s3::S3Action as _;
use secure_download::{
    AssumeRole, Credentials, Download, FileKey, Grant, S3Bucket, S3Policy, S3Signer, StsEndpoint,
};
use system_tests::{ODD_KEYS, grant};

const ACCESS: &str = "AKIDEXAMPLE";
const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
const REGION: &str = "eu-central-1";

/// What a URL is signed for.
#[derive(Debug, Clone)]
struct Case {
    key: FileKey,
    filename: String,
    content_type: &'static str,
    version: Option<String>,
    token: Option<String>,
    head: bool,
    virtual_host: bool,
    lifetime: Duration,
    now: SystemTime,
}

impl Case {
    fn grant(&self) -> Grant {
        let mut record =
            Download::new(self.key.clone()).filename(&self.filename).content_type(self.content_type);
        if let Some(version) = &self.version {
            record = record.version(version.clone());
        }
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        runtime.block_on(grant(&record))
    }

    fn method(&self) -> Method {
        if self.head { Method::HEAD } else { Method::GET }
    }

    fn ours(&self, grant: &Grant) -> String {
        let bucket = S3Bucket::at("https://s3.example:8443", REGION, "scans").expect("a bucket");
        let bucket = if self.virtual_host { bucket.virtual_host().expect("a host") } else { bucket };
        let mut credentials = Credentials::new(ACCESS, SECRET).expect("complete");
        if let Some(token) = &self.token {
            credentials = credentials.session_token(token);
        }
        let credentials = Arc::new(credentials);
        let signer = S3Signer::new(bucket, Credentials::new(ACCESS, "another").expect("complete"));
        let signed = signer.sign_with(&credentials, grant, &self.method(), self.lifetime, self.now);
        signed.expect("signed").expose().to_owned()
    }

    fn overrides<'a>(&'a self, grant: &'a Grant) -> Vec<(&'static str, &'a str)> {
        let header = |name| grant.plan().headers()[name].to_str().expect("ASCII");
        let mut overrides = vec![
            ("response-cache-control", header("cache-control")),
            ("response-content-disposition", header("content-disposition")),
            ("response-content-type", header("content-type")),
        ];
        overrides.extend(self.version.as_deref().map(|version| ("versionId", version)));
        overrides
    }

    fn rusty_s3(&self, grant: &Grant) -> String {
        let style =
            if self.virtual_host { rusty_s3::UrlStyle::VirtualHost } else { rusty_s3::UrlStyle::Path };
        let endpoint = "https://s3.example:8443".parse().expect("a URL");
        let bucket = rusty_s3::Bucket::new(endpoint, style, "scans", REGION).expect("a bucket");
        let credentials = match &self.token {
            Some(token) => rusty_s3::Credentials::new_with_token(ACCESS, SECRET, token.as_str()),
            None => rusty_s3::Credentials::new(ACCESS, SECRET),
        };
        let time = jiff::Timestamp::try_from(self.now).expect("in range");
        let key = self.key.as_str();
        let overrides = self.overrides(grant);
        if self.head {
            let mut action = bucket.head_object(Some(&credentials), key);
            for (name, value) in overrides {
                action.query_mut().insert(name, value);
            }
            action.sign_with_time(self.lifetime, &time).into()
        } else {
            let mut action = bucket.get_object(Some(&credentials), key);
            for (name, value) in overrides {
                action.query_mut().insert(name, value);
            }
            action.sign_with_time(self.lifetime, &time).into()
        }
    }

    /// The signature over the URL without the parameters that signing adds.
    fn aws_sigv4(&self, ours: &str) -> String {
        let (path, query) = ours.split_once('?').expect("a query");
        let unsigned: Vec<_> = query.split('&').filter(|pair| !pair.starts_with("X-Amz-")).collect();
        let uri = format!("{path}?{}", unsigned.join("&"));
        let mut settings = SigningSettings::default();
        settings.signature_location = SignatureLocation::QueryParams;
        settings.percent_encoding_mode = PercentEncodingMode::Single;
        settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
        settings.expires_in = Some(self.lifetime);
        let identity = AwsCredentials::new(ACCESS, SECRET, self.token.clone(), None, "test").into();
        let params = SigningParams::builder()
            .identity(&identity)
            .region(REGION)
            .name("s3")
            .time(self.now)
            .settings(settings)
            .build()
            .expect("complete")
            .into();
        let method = self.method();
        let body = SignableBody::UnsignedPayload;
        let request =
            SignableRequest::new(method.as_str(), uri, std::iter::empty(), body).expect("a request");
        sign(request, &params).expect("signed").into_parts().1
    }

    fn check(&self) {
        let grant = self.grant();
        let ours = self.ours(&grant);
        let (url, signature) = ours.rsplit_once("&X-Amz-Signature=").expect("a signature");
        assert_eq!(self.aws_sigv4(&ours), signature, "aws-sigv4: {url}");
        assert_eq!(self.rusty_s3(&grant), ours, "rusty-s3");
    }
}

fn keys() -> impl Strategy<Value = FileKey> {
    let segment = prop_oneof!["[ -.0-\\[\\]-~]{1,20}", "[a-z0-9]{1,8}", "\\PC{1,8}"];
    let any = proptest::collection::vec(segment, 1..5).prop_map(|segments| segments.join("/"));
    let odd = proptest::sample::select(&ODD_KEYS[..]).prop_map(str::to_owned);
    prop_oneof![any, odd].prop_filter_map("a key", |key| FileKey::parse(key).ok())
}

prop_compose! {
    fn cases()(
        key in keys(),
        filename in "\\PC{0,40}",
        content_type in proptest::sample::select(&["image/png", "text/plain; charset=utf-8", "a/b+c", ""][..]),
        version in proptest::option::of("[a-zA-Z0-9._/+=-]{1,40}"),
        token in proptest::option::of("[a-zA-Z0-9/+=]{1,200}"),
        head in any::<bool>(),
        virtual_host in any::<bool>(),
        lifetime in 1_u64..=604_800,
        now in 0_u64..4_102_444_800,
    ) -> Case {
        let (lifetime, now) = (Duration::from_secs(lifetime), SystemTime::UNIX_EPOCH + Duration::from_secs(now));
        Case { key, filename, content_type, version, token, head, virtual_host, lifetime, now }
    }
}

proptest! {
    #[test]
    fn signatures_are_equal(case in cases()) {
        case.check();
    }
}

#[test]
fn rusty_s3_leaves_the_bucket() {
    let endpoint = "https://s3.example".parse().expect("a URL");
    let bucket =
        rusty_s3::Bucket::new(endpoint, rusty_s3::UrlStyle::Path, "scans", REGION).expect("a bucket");
    let credentials = rusty_s3::Credentials::new(ACCESS, SECRET);
    let url = bucket.get_object(Some(&credentials), "../other/secret").sign(Duration::from_secs(5));
    assert_eq!(url.path(), "/other/secret");
    assert!(FileKey::parse("../other/secret").is_err());
}

#[test]
fn a_request_to_sts_is_signed_as_aws_does() {
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
    for token in [None, Some("a/b+c==")] {
        let mut credentials = Credentials::new(ACCESS, SECRET).expect("complete");
        if let Some(token) = token {
            credentials = credentials.session_token(token);
        }
        let bucket = S3Bucket::aws(REGION, "scans").expect("a bucket");
        let policy =
            S3Policy::read_object(&bucket, &FileKey::parse("a b/ü").expect("a key")).expect("a policy");
        let role = AssumeRole::new("arn:aws:iam::123456789012:role/downloads", "scan-7").expect("a role");
        let endpoint = StsEndpoint::aws(REGION).expect("an endpoint");
        let request = role.request(&endpoint, &credentials, &policy, now).expect("signed");

        let identity = AwsCredentials::new(ACCESS, SECRET, token.map(str::to_owned), None, "test").into();
        let params = SigningParams::builder()
            .identity(&identity)
            .region(REGION)
            .name("sts")
            .time(now)
            .settings(SigningSettings::default())
            .build()
            .expect("complete")
            .into();
        let text = |name: &str| request.headers()[name].to_str().expect("ASCII");
        let headers = ["content-type", "host"].map(|name| (name, text(name)));
        let body = SignableBody::Bytes(request.body().as_bytes());
        let uri = request.uri().to_string();
        let signable = SignableRequest::new("POST", uri, headers.into_iter(), body).expect("a request");
        let signature = sign(signable, &params).expect("signed").into_parts().1;
        assert!(text("authorization").ends_with(&format!("Signature={signature}")), "{token:?}");
    }
}
