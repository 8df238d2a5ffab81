//! Asking for temporary credentials, and reading what comes back.

#![cfg(feature = "sts")]

mod support;

use std::time::Duration;

use http::Response;
use secure_download_core::FileKey;
use secure_download_presign::{AssumeRole, Credentials, S3Bucket, S3Policy, StsEndpoint, StsError};
use support::{block_on, now};

fn credentials() -> Credentials {
    Credentials::new("AKIDEXAMPLE", "hush-hush").expect("complete")
}

fn role() -> AssumeRole {
    AssumeRole::new("arn:aws:iam::123456789012:role/downloads", "scan-7").expect("a role")
}

fn policy() -> S3Policy {
    let bucket = S3Bucket::aws("eu-central-1", "scans").expect("a bucket");
    S3Policy::read_object(&bucket, &FileKey::parse("a b/ü.png").expect("a key")).expect("a policy")
}

#[test]
fn the_request_holds_the_policy_and_no_secret() {
    let endpoint = StsEndpoint::aws("eu-central-1").expect("an endpoint");
    let role = role().external_id("x y").duration(Duration::from_secs(60));
    let temporary = credentials().session_token("session-token");
    let request = role.request(&endpoint, &temporary, &policy(), now()).expect("signed");
    assert_eq!(
        (request.method().as_str(), request.uri().to_string().as_str()),
        ("POST", "https://sts.eu-central-1.amazonaws.com/")
    );
    let form: Vec<_> = request
        .body()
        .split('&')
        .map(|pair| pair.split_once('=').expect("a value"))
        .map(|(name, value)| {
            (name, percent_encoding::percent_decode_str(value).decode_utf8().expect("UTF-8"))
        })
        .collect();
    let policy = policy();
    let expected = [
        ("Action", "AssumeRole"),
        ("Version", "2011-06-15"),
        ("DurationSeconds", "900"),
        ("RoleArn", "arn:aws:iam::123456789012:role/downloads"),
        ("RoleSessionName", "scan-7"),
        ("ExternalId", "x y"),
        ("Policy", policy.as_json()),
    ]
    .map(|(name, value)| (name, value.into()));
    assert_eq!(form, expected);
    assert!(!request.body().contains('+'));
    let authorization = request.headers()["authorization"].to_str().expect("ASCII");
    assert!(authorization.starts_with(
        "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20231114/eu-central-1/sts/aws4_request, \
         SignedHeaders=content-type;host;x-amz-date;x-amz-security-token, Signature="
    ));
    let signature = authorization.rsplit('=').next().expect("present");
    let debug = format!("{request:?}");
    for hidden in [signature, "session-token", "hush-hush"] {
        assert!(!debug.contains(hidden), "{debug}");
    }
}

#[test]
fn malformed_names_and_ended_credentials_are_refused() {
    for (arn, session) in [
        ("downloads", "scan-7"),
        ("arn:aws:iam::1:role/a b", "scan-7"),
        ("arn:aws:iam::1:role/a", "s"),
        ("arn:aws:iam::1:role/a", "scan 7"),
        ("arn:aws:iam::1:role/a", "scan/7"),
    ] {
        assert!(matches!(AssumeRole::new(arn, session), Err(StsError::Role)), "{arn} {session}");
    }
    for (endpoint, region) in [
        ("https://sts.example/a//b", "r"),
        ("https://sts.example/?a", "r"),
        ("https://sts.example", "a/b"),
        ("sts.example", "r"),
    ] {
        assert!(matches!(StsEndpoint::at(endpoint, region), Err(StsError::Endpoint)));
    }
    let below = StsEndpoint::at("https://x.example/sts/v1", "r").expect("an endpoint");
    let request = role().request(&below, &credentials(), &policy(), now()).expect("a request");
    assert_eq!(request.uri(), "https://x.example/sts/v1");
    let endpoint = StsEndpoint::aws("eu-central-1").expect("an endpoint");
    let ended = credentials().expires_at(now());
    assert!(matches!(role().request(&endpoint, &ended, &policy(), now()), Err(StsError::Expired)));
}

const ANSWER: &str = "<AssumeRoleResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><AssumeRoleResult>\
    <AssumedRoleUser><Arn>arn:aws:sts::123456789012:assumed-role/downloads/scan-7</Arn></AssumedRoleUser>\
    <Credentials><AccessKeyId>ASIAIOSFODNN7EXAMPLE</AccessKeyId>\
    <SecretAccessKey>wJalrXUtnFEMI/K7MDENG/bPxRfiCYzEXAMPLEKEY</SecretAccessKey>\
    <SessionToken>AQoDYXdzEPT//////////wEXAMPLE==</SessionToken>\
    <Expiration>2023-11-14T22:28:20Z</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>";

fn answer(status: u16, body: &str) -> Response<String> {
    Response::builder().status(status).body(body.to_owned()).expect("a response")
}

#[test]
fn an_answer_is_credentials_or_an_error() {
    let credentials = AssumeRole::response(&answer(200, ANSWER)).expect("credentials");
    assert_eq!(credentials.access_key(), "ASIAIOSFODNN7EXAMPLE");
    assert_eq!(credentials.expose_secret_key(), "wJalrXUtnFEMI/K7MDENG/bPxRfiCYzEXAMPLEKEY");
    assert_eq!(credentials.expose_session_token(), Some("AQoDYXdzEPT//////////wEXAMPLE=="));
    assert_eq!(credentials.expiry(), Some(now() + Duration::from_secs(900)));
    for (from, to) in [
        ("<SessionToken>", "<Token>"),
        ("2023-11-14T22:28:20Z", "soon"),
        ("AQoDYXdzEPT", "<b>"),
        ("AQoDYXdzEPT", "&lt;"),
        ("</Credentials>", ""),
        ("<Credentials>", "<Credentials><Credentials>"),
        ("ASIAIOSFODNN7EXAMPLE", ""),
        ("ASIAIOSFODNN7EXAMPLE", "ASIA\r\nX-Injected: 1"),
    ] {
        let broken = AssumeRole::response(&answer(200, &ANSWER.replace(from, to)));
        assert!(matches!(broken, Err(StsError::Answer)), "{from} {to}");
    }
    assert!(matches!(AssumeRole::response(&answer(200, &"x".repeat(1 << 20))), Err(StsError::Answer)));
    for (body, expected) in [
        (
            "<ErrorResponse><Error><Code>AccessDenied</Code><Message>secret</Message></Error></ErrorResponse>",
            "AccessDenied",
        ),
        ("<Code>a\nb</Code>", "unknown"),
        ("nothing", "unknown"),
    ] {
        match AssumeRole::response(&answer(403, body)) {
            Err(error @ StsError::Refused { .. }) => {
                assert_eq!(error.to_string(), format!("the server refused with 403 Forbidden: {expected}"));
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn the_application_sends_it() {
    let endpoint = StsEndpoint::at("http://127.0.0.1:7480", "us-east-1").expect("an endpoint");
    let (role, credentials, policy) = (role(), credentials(), policy());
    let mut sent = None;
    let call = role.call(&endpoint, &credentials, &policy, now(), |request| {
        sent = Some(request);
        async { Ok(answer(200, ANSWER)) }
    });
    assert!(block_on(call).is_ok());
    assert_eq!(sent.expect("sent").headers()["host"], "127.0.0.1:7480");
    let failed = role.call(&endpoint, &credentials, &policy, now(), |_| async {
        Err::<Response<String>, _>("no route".into())
    });
    assert!(matches!(block_on(failed), Err(StsError::Transport(_))));
}
