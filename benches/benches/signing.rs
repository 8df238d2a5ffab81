//! One presigned URL with three overrides, by us and by others. `cargo bench -p benches --bench signing`

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials as AwsCredentials;
use aws_sigv4::http_request::{
    PercentEncodingMode, SignableBody, SignableRequest, SignatureLocation, SigningSettings,
    UriPathNormalizationMode, sign,
};
use aws_sigv4::sign::v4::SigningParams;
use criterion::{Criterion, criterion_group, criterion_main};
use hmac::{Hmac, KeyInit as _, Mac as _};
use http::Method;
use object_store::path::Path;
use object_store::signer::{SignedUrlOptions, Signer as _};
use rusty_s3::S3Action as _;
use secure_download::{Credentials, Grant, S3Bucket, S3Signer, UrlSigner as _};
use sha2::{Digest as _, Sha256};
use tokio::runtime::Runtime;

const ACCESS: &str = "AKIDEXAMPLE";
const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
const REGION: &str = "eu-central-1";
const KEY: &str = "scans/2026/11/4f1c9c1e-6a53-4cf9-9a86-1f7f3c0b8f7e";
const DISPOSITION: &str = "attachment; filename=\"scan.png\"";
const CACHE_CONTROL: &str = "private, no-store";
const LIFETIME: Duration = Duration::from_secs(5);

/// A grant as an application gets it. Its plan asks for the three overrides that the others are given.
fn granted(runtime: &Runtime) -> Grant {
    let catalog = benches::catalog(&[KEY]);
    runtime.block_on(system_tests::grant(&catalog[KEY]))
}

fn bench(criterion: &mut Criterion) {
    let runtime = Runtime::new().expect("a runtime");
    let grant = granted(&runtime);
    let now = SystemTime::now();
    let mut group = criterion.benchmark_group("one URL");

    let credentials = Arc::new(Credentials::new(ACCESS, SECRET).expect("complete"));
    let bucket = S3Bucket::aws(REGION, "scans").expect("a bucket");
    let signer = S3Signer::new(bucket, Credentials::new(ACCESS, SECRET).expect("complete"));
    let ours = || signer.sign_with(&credentials, &grant, &Method::GET, LIFETIME, black_box(now));
    let url = ours().expect("signed");
    group.bench_function("secure-download", |bencher| bencher.iter(|| ours().expect("signed")));
    group.bench_function("secure-download, as a UrlSigner", |bencher| {
        bencher
            .to_async(&runtime)
            .iter(|| async { signer.sign(&grant, &Method::GET, LIFETIME, black_box(now)).await });
    });

    // The least that any implementation has to do: hash this canonical request, and sign the hash.
    let (path, query) = url.expose().split_once('?').expect("a query");
    let (query, _) = query.rsplit_once("&X-Amz-Signature=").expect("a signature");
    let path = path.strip_prefix("https://scans.s3.eu-central-1.amazonaws.com").expect("the host");
    let canonical =
        format!("GET\n{path}\n{query}\nhost:scans.s3.eu-central-1.amazonaws.com\n\nhost\nUNSIGNED-PAYLOAD");
    let to_sign = "AWS4-HMAC-SHA256\n20261125T000000Z\n20261125/eu-central-1/s3/aws4_request\n".to_owned()
        + &"0".repeat(64);
    let keyed = Hmac::<Sha256>::new_from_slice(&[7; 32]).expect("any length");
    group.bench_function("crypto floor", |bencher| {
        bencher.iter(|| {
            let hash = Sha256::digest(black_box(canonical.as_bytes()));
            let mut mac = keyed.clone();
            mac.update(black_box(to_sign.as_bytes()));
            (hash, mac.finalize().into_bytes())
        });
    });

    let endpoint = "https://s3.eu-central-1.amazonaws.com".parse().expect("a URL");
    let bucket = rusty_s3::Bucket::new(endpoint, rusty_s3::UrlStyle::VirtualHost, "scans", REGION);
    let (bucket, theirs) = (bucket.expect("a bucket"), rusty_s3::Credentials::new(ACCESS, SECRET));
    group.bench_function("rusty-s3", |bencher| {
        bencher.iter(|| {
            let mut action = bucket.get_object(Some(&theirs), KEY);
            action.query_mut().insert("response-cache-control", CACHE_CONTROL);
            action.query_mut().insert("response-content-disposition", DISPOSITION);
            action.query_mut().insert("response-content-type", "image/png");
            let time = jiff::Timestamp::try_from(black_box(now)).expect("in range");
            action.sign_with_time(LIFETIME, &time)
        });
    });

    let identity = AwsCredentials::new(ACCESS, SECRET, None, None, "bench").into();
    let mut settings = SigningSettings::default();
    settings.signature_location = SignatureLocation::QueryParams;
    settings.percent_encoding_mode = PercentEncodingMode::Single;
    settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
    settings.expires_in = Some(LIFETIME);
    let uri = format!(
        "https://scans.s3.eu-central-1.amazonaws.com/{KEY}?response-cache-control=private%2C%20no-store\
         &response-content-disposition=attachment%3B%20filename%3D%22scan.png%22&response-content-type=image%2Fpng"
    );
    group.bench_function("aws-sigv4", |bencher| {
        bencher.iter(|| {
            let params = SigningParams::builder().identity(&identity).region(REGION).name("s3");
            let params = params.time(black_box(now)).settings(settings.clone()).build();
            let body = SignableBody::UnsignedPayload;
            let request = SignableRequest::new("GET", uri.as_str(), std::iter::empty(), body);
            let params = params.expect("complete").into();
            let signed = sign(request.expect("a request"), &params).expect("signed");
            let mut request = http::Request::get(uri.as_str()).body(()).expect("a request");
            signed.into_parts().0.apply_to_request_http1x(&mut request);
            request
        });
    });

    let store = object_store::aws::AmazonS3Builder::new()
        .with_region(REGION)
        .with_bucket_name("scans")
        .with_virtual_hosted_style_request(true)
        .with_access_key_id(ACCESS)
        .with_secret_access_key(SECRET)
        .build()
        .expect("a client");
    let path = Path::parse(KEY).expect("a path");
    group.bench_function("object_store", |bencher| {
        bencher.to_async(&runtime).iter(|| async {
            let options = SignedUrlOptions::new().with_query([
                ("response-cache-control", CACHE_CONTROL),
                ("response-content-disposition", DISPOSITION),
                ("response-content-type", "image/png"),
            ]);
            store.signed_url_opts(Method::GET, &path, LIFETIME, &options).await.expect("signed")
        });
    });
    group.finish();
}

criterion_group!(benches, bench);
criterion_main!(benches);
