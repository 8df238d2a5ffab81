//! Signed URLs of any key, name and type, verified as a store would: from the URL alone, with an encoder and an HMAC chain
//! written anew from the documentation.
#![no_main]

use std::sync::LazyLock;
use std::time::{Duration, UNIX_EPOCH};

use arbitrary::Arbitrary;
use futures::executor::block_on;
use hmac::{Hmac, KeyInit, Mac};
use http::Method;
use libfuzzer_sys::fuzz_target;
use percent_encoding::percent_decode_str;
use secure_download_core::{Download, FileKey, SignError, UrlSigner};
use secure_download_conformance::signer::grant;
use secure_download_presign::{Credentials, S3Bucket, S3Signer};
use sha2::{Digest, Sha256};

const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";

#[derive(Debug, Arbitrary)]
struct Input {
    key: String,
    name: String,
    content_type: String,
    version: Option<String>,
    inline: bool,
    head: bool,
    lifetime: u16,
    now: u32,
    virtual_host: bool,
}

static SIGNERS: LazyLock<[S3Signer; 2]> = LazyLock::new(|| {
    let credentials = || Credentials::new("AKIDEXAMPLE", SECRET).expect("credentials");
    let path = S3Bucket::at("http://127.0.0.1:9000", "us-east-1", "scans").expect("a bucket");
    let host = S3Bucket::aws("eu-central-1", "scans").expect("a bucket");
    [S3Signer::new(path, credentials()), S3Signer::new(host, credentials()).tell_audit_id()]
});

fn encode(text: &str, slash: bool) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
            b'/' if slash => "/".to_owned(),
            _ => format!("%{byte:02X}"),
        })
        .collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn mac(key: &[u8], text: &str) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("any length");
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

fuzz_target!(|input: Input| {
    let Ok(key) = FileKey::parse(&input.key) else { return };
    let mut download = Download::new(key.clone()).filename(&input.name).content_type(&input.content_type);
    if input.inline {
        download = download.inline();
    }
    if let Some(version) = &input.version {
        download = download.version(version.clone());
    }
    let method = if input.head { Method::HEAD } else { Method::GET };
    let now = UNIX_EPOCH + Duration::from_secs(input.now.into());
    let lifetime = Duration::from_secs(input.lifetime.into());
    let signer = &SIGNERS[usize::from(input.virtual_host)];
    let grant = block_on(grant(&download));
    let signed = match block_on(signer.sign(&grant, &method, lifetime, now)) {
        Ok(signed) => signed,
        Err(SignError::Inexpressible(_)) => return,
        Err(_) => {
            assert_eq!(input.lifetime, 0, "there are credentials");
            return;
        }
    };
    let url = signed.expose();
    let (scheme, rest) = url.split_once("://").expect("a scheme");
    let (host, target) = rest.split_once('/').expect("a path");
    let (path, query) = target.split_once('?').expect("a query");
    let expected = if input.virtual_host { ("https", "scans.s3.eu-central-1.amazonaws.com") } else { ("http", "127.0.0.1:9000") };
    assert_eq!((scheme, host), expected);

    // As the store reads it.
    let decode = |text: &str| percent_decode_str(text).decode_utf8().expect("UTF-8").into_owned();
    let path = decode(&format!("/{path}"));
    let object = if input.virtual_host { path.strip_prefix('/') } else { path.strip_prefix("/scans/") };
    assert_eq!(object, Some(key.as_str()));
    let mut pairs: Vec<(String, String)> = query
        .split('&')
        .map(|pair| pair.split_once('=').expect("a value"))
        .map(|(name, value)| (decode(name), decode(value)))
        .collect();
    let at = pairs.iter().position(|(name, _)| name == "X-Amz-Signature").expect("a signature");
    let signature = pairs.remove(at).1;
    let value = |name: &str| {
        let mut values = pairs.iter().filter(|(known, _)| known == name).map(|(_, value)| value.clone());
        let value = values.next();
        assert!(values.next().is_none(), "{name} stands twice");
        value
    };
    for (header, parameter) in [
        ("content-type", "response-content-type"),
        ("content-disposition", "response-content-disposition"),
        ("cache-control", "response-cache-control"),
    ] {
        let planned = grant.plan().headers()[header].to_str().expect("ASCII").to_owned();
        assert_eq!(value(parameter), Some(planned));
    }
    assert_eq!(value("versionId"), input.version);
    assert_eq!(value("X-Amz-Expires"), Some(input.lifetime.to_string()));

    let date = value("X-Amz-Date").expect("a date");
    let region = if input.virtual_host { "eu-central-1" } else { "us-east-1" };
    let scope = format!("{}/{region}/s3/aws4_request", &date[..8]);
    assert_eq!(value("X-Amz-Credential"), Some(format!("AKIDEXAMPLE/{scope}")));
    let mut encoded: Vec<(String, String)> =
        pairs.iter().map(|(name, value)| (encode(name, false), encode(value, false))).collect();
    encoded.sort();
    let query: Vec<String> = encoded.into_iter().map(|(name, value)| format!("{name}={value}")).collect();
    let canonical =
        format!("{method}\n{}\n{}\nhost:{host}\n\nhost\nUNSIGNED-PAYLOAD", encode(&path, true), query.join("&"));
    let text = format!("AWS4-HMAC-SHA256\n{date}\n{scope}\n{}", hex(&Sha256::digest(canonical.as_bytes())));
    let key = [&date[..8], region, "s3", "aws4_request"]
        .iter()
        .fold(format!("AWS4{SECRET}").into_bytes(), |key, part| mac(&key, part));
    assert_eq!(signature, hex(&mac(&key, &text)));
});
