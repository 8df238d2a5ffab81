//! Signatures that Azure's own library made, and the lines of a delegated one.

use serde_json::Value;

use super::super::AzureDelegationKey;
use super::*;

fn read(text: &str) -> Value {
    serde_json::from_str(text).expect("JSON")
}

/// Names and values of a query, sorted, still encoded but for what may stay as it is.
fn parameters(query: &str) -> Vec<(String, String)> {
    let decode =
        |text: &str| percent_encoding::percent_decode_str(text).decode_utf8().expect("UTF-8").into_owned();
    let mut parameters: Vec<_> = query
        .split('&')
        .map(|pair| pair.split_once('=').expect("a value"))
        .map(|(name, value)| (name.to_owned(), decode(value)))
        .collect();
    parameters.sort();
    parameters
}

#[test]
fn a_service_sas() {
    let vector = read(include_str!("../../tests/vectors/azure_service_sas.json"));
    let text = |name: &str| vector[name].as_str().expect("a text");
    let container = AzureContainer::at("http://127.0.0.1:10000", text("account"), text("container"));
    let file = FileKey::parse(text("blob")).expect("a key");
    let sas = Sas {
        container: &container.expect("a container"),
        key: &file,
        overrides: Overrides {
            cache_control: "",
            content_disposition: text("rscd"),
            content_type: text("rsct"),
        },
        expires_at: text("se"),
        protocol: "",
        version: text("sv"),
    };
    let key = AzureKey::account(text("account_key_b64")).expect("a key");
    assert_eq!(sas.text(&key), text("string_to_sign"));
    let url = sas.url(&key);
    let (path, query) = url.split_once('?').expect("a query");
    assert_eq!(path, "http://127.0.0.1:10000/devstoreaccount1/bkt/a/file.txt");
    assert_eq!(parameters(query), parameters(text("sas_query")));
}

#[test]
fn a_user_delegation_sas() {
    let vector = read(include_str!("../../tests/vectors/azure_user_delegation_sas.json"));
    let text = |name: &str| vector[name].as_str().expect("a text");
    let line = |at: usize| vector["lines"][at].as_str().expect("a text");
    let day = |days: u64| SystemTime::UNIX_EPOCH + Duration::from_secs(days * 86_400);
    // 2029-12-31 and 2030-01-02.
    let delegated =
        AzureDelegationKey::new(line(4), line(5), day(21_914), day(21_916), line(9), text("key_b64"));
    let key = AzureKey::delegation(&delegated).expect("a key");
    let file = FileKey::parse("a b.txt").expect("a key");
    let sas = Sas {
        container: &AzureContainer::at("https://acct.example", "acct", "bkt").expect("a container"),
        key: &file,
        overrides: Overrides { cache_control: "", content_disposition: line(20), content_type: line(23) },
        expires_at: line(2),
        protocol: line(14),
        version: VERSION,
    };
    let lines: Vec<_> = vector["lines"].as_array().expect("lines").iter().map(|line| line.as_str()).collect();
    let signed = sas.text(&key);
    assert_eq!(signed.split('\n').map(Some).collect::<Vec<_>>(), lines);
    assert_eq!(signed, text("string_to_sign"));
    assert_eq!(key.sign(&signed), text("signature_b64"));
    for shown in [format!("{key:?}"), format!("{delegated:?}")] {
        assert!(!shown.contains(text("key_b64")) && !shown.contains(line(4)), "{shown}");
    }
}
