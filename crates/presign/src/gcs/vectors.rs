//! Google's conformance tests, and a signature that OpenSSL made.

use std::collections::BTreeMap;
use std::time::SystemTime;

use serde_json::Value;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::*;

/// Made for these tests with `openssl genrsa 2048`; good for nothing else.
const TEST_KEY: &str = include_str!("../../tests/vectors/rsa_test_key.pem");

fn key() -> GcsKey {
    let email = "test-iam-credentials@dummy-project-id.iam.gserviceaccount.com";
    GcsKey::service_account(email, TEST_KEY).expect("a key")
}

fn moment(text: &str) -> Timestamp {
    let time = OffsetDateTime::parse(text, &Rfc3339).expect("a date");
    Timestamp::new(SystemTime::from(time)).expect("in range")
}

/// Scheme with authority, host in the signature, and the folder of the bucket.
fn place(case: &Value) -> (String, String, String) {
    let text = |name: &str| case[name].as_str();
    let bucket = text("bucket").expect("a bucket");
    let scheme = text("scheme").unwrap_or("https");
    let universe = text("universeDomain").unwrap_or("googleapis.com");
    let endpoint = text("hostname").or(text("clientEndpoint")).or(text("emulatorHostname"));
    let (authority, folder) = match text("urlStyle") {
        Some("VIRTUAL_HOSTED_STYLE") => (format!("{bucket}.storage.{universe}"), String::new()),
        Some("BUCKET_BOUND_HOSTNAME") => {
            (text("bucketBoundHostname").expect("a name").to_owned(), String::new())
        }
        _ => (endpoint.map_or(format!("storage.{universe}"), str::to_owned), format!("/{bucket}")),
    };
    let authority = authority.rsplit("//").next().expect("a part").to_owned();
    let host = authority.split(':').next().expect("a part").to_owned();
    (format!("{scheme}://{authority}"), host, folder)
}

#[test]
fn googles_conformance_tests() {
    let suite: Value =
        serde_json::from_str(include_str!("../../tests/vectors/gcs_v4_signatures.json")).expect("JSON");
    let mut compared = 0;
    for case in suite["signingV4Tests"].as_array().expect("cases") {
        let name = case["description"].as_str().expect("a text");
        // Its expected URL and its expected canonical request contradict each other.
        if name == "Universe domain with virtual hosted style" {
            continue;
        }
        let (origin, host, folder) = place(case);
        let mut path = folder;
        if let Some(object) = case["object"].as_str() {
            path.push('/');
            percent::push_path(&mut path, object);
        }
        let mut headers = BTreeMap::from([("host".to_owned(), host)]);
        for (name, value) in case["headers"].as_object().into_iter().flatten() {
            let value: Vec<_> = value.as_str().expect("a text").split_whitespace().collect();
            headers.insert(name.to_ascii_lowercase(), value.join(" "));
        }
        let headers: Vec<_> = headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let query: Vec<_> = case["queryParameters"]
            .as_object()
            .into_iter()
            .flatten()
            .map(|(name, value)| (name.as_str(), value.as_str().expect("a text")))
            .collect();
        let payload = headers.iter().find(|(name, _)| *name == "x-goog-content-sha256");
        let unsigned = Unsigned {
            method: case["method"].as_str().expect("a method"),
            origin: &origin,
            path: &path,
            headers: &headers,
            query: &query,
            payload: payload.map_or("UNSIGNED-PAYLOAD", |(_, value)| value),
        };
        let lifetime = case["expiration"].as_u64().expect("seconds");
        let to_sign = unsigned.to_sign(&key(), moment(case["timestamp"].as_str().expect("a date")), lifetime);
        let text = |name: &str| case[name].as_str().expect("a text");
        assert_eq!(to_sign.canonical, text("expectedCanonicalRequest"), "{name}");
        assert_eq!(to_sign.text, text("expectedStringToSign"), "{name}");
        let (url, signature) = text("expectedUrl").rsplit_once('=').expect("a signature");
        assert_eq!(to_sign.url.strip_suffix('='), Some(url), "{name}");
        assert_eq!(signature.len(), 512);
        compared += 1;
    }
    assert_eq!(compared, 28);
}

#[test]
fn rsa_signs_as_openssl_does() {
    // printf 'GOOG4-RSA-SHA256\ntest' | openssl dgst -sha256 -sign rsa_test_key.pem -hex
    let expected = include_str!("../../tests/vectors/rsa_test_signature.hex").trim();
    let mut signature = String::new();
    hex::push(&mut signature, &key().sign("20190201", "GOOG4-RSA-SHA256\ntest").expect("signed"));
    assert_eq!(signature, expected);
}

#[test]
fn an_hmac_key_derives_as_signature_version_4_does() {
    // The suite of AWS derives with other constants; Python's hmac gave this one.
    let key = GcsKey::hmac("GOOG1EXAMPLE", "secret").expect("a key");
    assert_eq!(key.algorithm(), "GOOG4-HMAC-SHA256");
    let mut signature = String::new();
    hex::push(&mut signature, &key.sign("20190201", "text").expect("signed"));
    assert_eq!(signature, include_str!("../../tests/vectors/gcs_hmac_signature.hex").trim());
}
