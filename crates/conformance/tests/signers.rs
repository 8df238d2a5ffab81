//! Every signer of the project keeps the laws.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use http::Method;
use http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE};
use object_store::aws::AmazonS3Builder;
use secure_download_conformance::Broken;
use secure_download_conformance::signer::{Laws, Url};
use secure_download_core::{
    Disposition, Download, FileKey, Grant, Record as _, SignError, SignedUrl, UrlSigner, content_disposition,
};
use secure_download_presign::{
    AzureContainer, AzureKey, AzureSigner, CloudFrontKey, CloudFrontSigner, Credentials, GcsBucket, GcsKey,
    GcsSigner, LocalKey, LocalSigner, S3Bucket, S3Signer, SecureLink, SecureLinkSecret, StoreSigner,
};

const SECRET: &str = "hush-hush-hush-hush-hush-hush-hu";
const RSA: &str = include_str!("../../presign/tests/vectors/rsa_test_key.pem");

#[tokio::test]
async fn s3() {
    let credentials = || Credentials::new("AKIDEXAMPLE", SECRET).expect("credentials");
    for bucket in [
        S3Bucket::aws("eu-central-1", "scans").expect("a bucket"),
        S3Bucket::at("http://127.0.0.1:9000", "us-east-1", "scans").expect("a bucket"),
    ] {
        let signer = S3Signer::new(bucket, credentials());
        let printed = format!("{signer:?}");
        Laws::of(signer).methods_apart().secret(SECRET).printed(printed).check().await;
    }
    let bucket = S3Bucket::aws("eu-central-1", "scans").expect("a bucket");
    Laws::of(S3Signer::new(bucket, credentials()).tell_audit_id()).methods_apart().check().await;
}

#[tokio::test]
async fn gcs() {
    for key in [
        GcsKey::hmac("GOOG1EXAMPLE", SECRET).expect("a key"),
        GcsKey::service_account("a@b.iam.gserviceaccount.com", RSA).expect("a key"),
    ] {
        let signer = GcsSigner::new(GcsBucket::new("scans").expect("a bucket"), key);
        let signer = signer.stored_cache_control("private, no-store");
        let printed = format!("{signer:?}");
        Laws::of(signer)
            .stored(CACHE_CONTROL)
            .methods_apart()
            .secret(SECRET)
            .secret(RSA.lines().nth(1).expect("a line"))
            .printed(printed)
            .check()
            .await;
    }
}

/// Azure keeps no dot at the end of a segment.
fn ends_in_a_dot(key: &FileKey) -> bool {
    key.segments().any(|segment| segment.ends_with('.'))
}

#[tokio::test]
async fn azure() {
    let key = "aHVzaC1odXNoLWh1c2gtaHVzaC1odXNoLWh1c2gtaHU=";
    let container = AzureContainer::new("acct", "scans").expect("a container");
    let signer = AzureSigner::new(container, AzureKey::account(key).expect("a key"));
    let printed = format!("{signer:?}");
    Laws::of(signer).declines(ends_in_a_dot).secret(key).secret(SECRET).printed(printed).check().await;
}

#[tokio::test]
async fn cloudfront() {
    let key = CloudFrontKey::new("KEXAMPLE", RSA).expect("a key");
    let signer = CloudFrontSigner::new("https://d1.cloudfront.net", key).expect("an address");
    let signer = signer.origin_overrides();
    let printed = format!("{signer:?}");
    Laws::of(signer).secret(RSA.lines().nth(1).expect("a line")).printed(printed).check().await;
}

/// Clients name a file after the link, so its name must need no cleaning.
fn needs_cleaning(key: &FileKey) -> bool {
    let name = key.segments().last().unwrap_or_default();
    content_disposition(Disposition::Attachment, name) != format!("attachment; filename=\"{name}\"")
}

#[tokio::test]
async fn secure_link() {
    let secret = SecureLinkSecret::new(SECRET).expect("a secret");
    let signer = SecureLink::new("https://files.example", "/dl", secret).expect("a site");
    let sent = signer.nginx_location("/srv/media").expect("a folder");
    let printed = format!("{signer:?}");
    let sends = move |url: &Url, name: &http::HeaderName, value: &str| match *name {
        CONTENT_TYPE => sent.contains(&format!("default_type {value};")),
        // No name, or the one that the link ends in.
        CONTENT_DISPOSITION => {
            let file = url.path().rsplit('/').next().unwrap_or_default();
            let file = percent_encoding::percent_decode_str(file).decode_utf8().expect("UTF-8");
            value == content_disposition(Disposition::Attachment, "")
                || value == format!("attachment; filename=\"{file}\"")
        }
        _ => sent.contains(&format!("add_header {name} \"{value}\" always;")),
    };
    let plain = Download::new(FileKey::parse("laws/plain").expect("a key"));
    let laws = || Laws::of(signer.clone()).fixed_headers(plain.clone(), sends.clone());
    laws().declines(needs_cleaning).secret(SECRET).printed(printed).check().await;
}

#[tokio::test]
async fn local() {
    let signer = LocalSigner::new("/blobs/", LocalKey::new(SECRET.as_bytes()).expect("a key"));
    let printed = format!("{signer:?}");
    let opener = signer.clone();
    // What the route would show, which the token alone decides.
    let carries = move |url: &Url, name: &http::HeaderName, value: &str| {
        let claims = opener.verify(url.path().trim_start_matches("/blobs/")).expect("its own token");
        let download = claims.download();
        let inline = value.starts_with("inline");
        let disposition = if inline { Disposition::Inline } else { Disposition::Attachment };
        match *name {
            CONTENT_TYPE => download.raw_content_type() == Some(value),
            CONTENT_DISPOSITION => {
                download.terms().asks_inline() == inline
                    && content_disposition(disposition, download.raw_filename().unwrap_or_default()) == value
            }
            _ => true,
        }
    };
    Laws::of(signer).carries(carries).secret(SECRET).printed(printed).check().await;
}

#[tokio::test]
async fn object_store() {
    let client = AmazonS3Builder::new()
        .with_region("eu-central-1")
        .with_bucket_name("scans")
        .with_access_key_id("AKIDEXAMPLE")
        .with_secret_access_key(SECRET)
        .build()
        .expect("a client");
    let signer = StoreSigner::new(Arc::new(client));
    let printed = format!("{signer:?}");
    // It takes no date.
    let laws = Laws::of(signer).at(SystemTime::now() + Duration::from_secs(1));
    laws.methods_apart().secret(SECRET).printed(printed).check().await;
}

/// A careful signer, or one that breaks one law.
struct Careless(Fault, S3Signer);

#[derive(Debug, Clone, Copy, PartialEq)]
enum Fault {
    None,
    DropsTheDisposition,
    TakesNamesForParameters,
    LivesForADay,
    CountsInMinutes,
    DecodesTheKey,
    LeadsElsewhere,
    IgnoresTheVolume,
    IgnoresTheVersion,
    SignsNothing,
    OneForAllMethods,
    NamesTheMethodUnsigned,
    TellsTheSecret,
}

#[async_trait]
impl UrlSigner for Careless {
    fn name(&self) -> &'static str {
        "careless"
    }

    async fn sign(
        &self,
        grant: &Grant,
        method: &Method,
        lifetime: Duration,
        now: SystemTime,
    ) -> Result<SignedUrl, SignError> {
        let asked = method;
        let blind = matches!(self.0, Fault::OneForAllMethods | Fault::NamesTheMethodUnsigned);
        let method = if blind { &Method::GET } else { method };
        if grant.download().volume_name().is_some() {
            match self.0 {
                Fault::IgnoresTheVolume => return Ok(SignedUrl::new("https://x.example/a?b=c".into(), now)),
                Fault::TellsTheSecret => {
                    return Err(SignError::Failed(format!("no volume for {SECRET}").into()));
                }
                _ => {}
            }
        }
        let unversioned;
        let grant = if self.0 == Fault::IgnoresTheVersion && grant.download().version_id().is_some() {
            unversioned =
                secure_download_conformance::signer::grant(&Download::new(grant.download().key().clone()))
                    .await;
            &unversioned
        } else {
            grant
        };
        let for_the_store = if self.0 == Fault::CountsInMinutes { lifetime * 60 } else { lifetime };
        let signed = self.1.sign(grant, method, for_the_store, now).await?;
        let (url, expires_at) = (signed.expose().to_owned(), signed.expires_at());
        Ok(match self.0 {
            Fault::DropsTheDisposition => {
                let (before, after) = url.split_once("&response-content-disposition=").expect("there");
                let rest = after.split_once('&').expect("more").1;
                SignedUrl::new(format!("{before}&{rest}"), expires_at)
            }
            Fault::TakesNamesForParameters => {
                let name = grant.download().raw_filename().unwrap_or_default();
                let more = name.split_once('&').map_or(String::new(), |(_, more)| format!("&{more}"));
                SignedUrl::new(url + &more, expires_at)
            }
            Fault::CountsInMinutes => SignedUrl::new(url, now + lifetime),
            Fault::NamesTheMethodUnsigned => SignedUrl::new(format!("{url}&m={asked}"), expires_at),
            Fault::LivesForADay => SignedUrl::new(url, now + Duration::from_secs(86_400)),
            Fault::DecodesTheKey => SignedUrl::new(url.replacen("%25", "%", 1), expires_at),
            Fault::LeadsElsewhere if grant.download().key().as_str().contains('@') => {
                SignedUrl::new(url.replace("eu-central-1", "evil"), expires_at)
            }
            Fault::SignsNothing => {
                let (before, _) = url.split_once("&X-Amz-Signature=").expect("there");
                SignedUrl::new(format!("{before}&X-Amz-Signature=0"), expires_at)
            }
            _ => signed,
        })
    }
}

#[tokio::test]
async fn each_law_is_broken_by_somebody() {
    for (fault, law) in [
        (Fault::None, None),
        (
            Fault::DropsTheDisposition,
            Some("what the client must see stands in the URL, or nothing is signed"),
        ),
        (Fault::TakesNamesForParameters, Some("no name adds a parameter")),
        (Fault::LivesForADay, Some("a URL ends no later than asked")),
        (Fault::CountsInMinutes, Some("a URL ends no later than asked")),
        (Fault::DecodesTheKey, Some("a key names its own object, on the one host, or nothing is signed")),
        (Fault::LeadsElsewhere, Some("a key names its own object, on the one host, or nothing is signed")),
        (Fault::IgnoresTheVolume, Some("an unknown volume is not signed")),
        (Fault::IgnoresTheVersion, Some("a version stands in the URL, or nothing is signed")),
        (Fault::NamesTheMethodUnsigned, Some("the signature covers what was granted")),
        (Fault::SignsNothing, Some("the signature covers what was granted")),
        (Fault::OneForAllMethods, Some("the signature covers what was granted")),
        (Fault::TellsTheSecret, Some("no secret shows")),
    ] {
        let credentials = Credentials::new("AKIDEXAMPLE", SECRET).expect("credentials");
        let signer = S3Signer::new(S3Bucket::aws("eu-central-1", "scans").expect("a bucket"), credentials);
        let laws = Laws::of(Careless(fault, signer)).methods_apart().secret(SECRET);
        let verdict = laws.verify().await;
        let broken: Vec<_> = verdict.as_ref().err().into_iter().flat_map(Broken::names).collect();
        match law {
            None => assert!(verdict.is_ok(), "{verdict:?}"),
            Some(law) => assert!(broken.contains(&law), "{fault:?}: {verdict:?}"),
        }
        assert!(!format!("{verdict:?}").contains(SECRET), "a verdict is shown in logs");
    }
}
