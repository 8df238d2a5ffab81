//! Signed URLs, temporary credentials and the least that an application needs, at Ceph's object gateway.

mod demos;

use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use demo::suite::Bucket;
use http::{Method, Request, Response};
use object_store::path::Path;
use object_store::{Error, ObjectStore, ObjectStoreExt as _};
use secure_download::{
    AssumeRole, BoxError, Credentials, Download, FileKey, S3Bucket, S3Policy, S3Signer, StsEndpoint,
};
use system_tests::{Radosgw, SignedStore, fetch, fetch_with, grant};

const ANYTHING: &str = "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Action\":\"s3:*\",\"Resource\":\"arn:aws:s3:::*\"}]}";

/// The gateway takes half a minute to come up, so everything happens at one.
#[tokio::test]
async fn ceph() {
    let server = Radosgw::start();
    for bucket in ["private", "my.dotted.bucket"] {
        server.create_bucket(bucket).await;
    }
    every_style_of_url(&server).await;
    nothing_is_public(&server).await;
    let role = server.role("downloads", ANYTHING);
    temporary_credentials_read_one_object(&server, &role).await;
    the_demos_policy_reads_and_writes(&server, &role).await;
    the_demos_run_under_their_policy(&server, &role).await;
}

fn user(server: &Radosgw) -> Credentials {
    let (access, secret) = server.user();
    Credentials::new(access, secret).expect("complete")
}

fn private(server: &Radosgw) -> S3Bucket {
    S3Bucket::at(server.endpoint(), "us-east-1", "private").expect("a bucket")
}

async fn every_style_of_url(server: &Radosgw) {
    let (access, secret) = server.user();
    let hosted = |name| S3Bucket::at(&server.domain(), "us-east-1", name).and_then(S3Bucket::virtual_host);
    for (name, bucket) in [
        ("private", private(server)),
        ("private", hosted("private").expect("a host")),
        ("my.dotted.bucket", hosted("my.dotted.bucket").expect("a host")),
    ] {
        let store = SignedStore {
            client: server.store(name, access, secret, None),
            signer: Arc::new(S3Signer::new(bucket, user(server)).tell_audit_id()),
            methods_apart: true,
            declined: &[],
        };
        store.delivers().await;
        store.refuses().await;
        store.keeps_keys_apart().await;
    }
}

async fn nothing_is_public(server: &Radosgw) {
    for target in ["private", "private/a/picture", "private?list-type=2", "private?policy", "private?acl"] {
        let answer = fetch("GET", &format!("{}/{target}", server.endpoint()), &[]).await;
        assert_eq!(answer.status, 403, "{target}");
    }
}

/// Sends what [`AssumeRole`] built.
async fn send(request: Request<String>) -> Result<Response<Vec<u8>>, BoxError> {
    let fields: Vec<String> = request
        .headers()
        .iter()
        .filter(|(name, _)| *name != "host")
        .map(|(name, value)| format!("{name}: {}", value.to_str().expect("ASCII")))
        .collect();
    let fields: Vec<&str> = fields.iter().map(String::as_str).collect();
    let url = request.uri().to_string();
    let answer = fetch_with("POST", &url, &fields, request.into_body()).await;
    Ok(Response::builder().status(answer.status).body(answer.body)?)
}

async fn assume(server: &Radosgw, role: &str, policy: &S3Policy) -> Credentials {
    let endpoint = StsEndpoint::at(server.endpoint(), "us-east-1").expect("an endpoint");
    let role = AssumeRole::new(role, "session-1").expect("a role");
    role.call(&endpoint, &user(server), policy, SystemTime::now(), send).await.expect("credentials")
}

fn client(server: &Radosgw, credentials: &Credentials) -> Arc<dyn ObjectStore> {
    let (access, secret) = (credentials.access_key(), credentials.expose_secret_key());
    server.store("private", access, secret, credentials.expose_session_token())
}

fn denied<T: std::fmt::Debug>(what: &str, result: &Result<T, Error>) {
    // The client wraps the refusal of a listing.
    let refused = match result {
        Err(Error::PermissionDenied { .. }) => true,
        Err(error) => format!("{error:?}").contains("status: 403"),
        Ok(_) => false,
    };
    assert!(refused, "{what}: {result:?}");
}

fn path(key: &str) -> Path {
    Path::parse(key).expect("a path")
}

async fn temporary_credentials_read_one_object(server: &Radosgw, role: &str) {
    let (access, secret) = server.user();
    let owner = server.store("private", access, secret, None);
    // One name is the beginning of the other.
    for key in ["c/one", "c/one-more", "c/ö \"2\""] {
        owner.put(&path(key), key.as_bytes().to_vec().into()).await.expect("stored");
    }
    for key in ["c/one", "c/ö\"2\""] {
        owner.put(&path(key), key.as_bytes().to_vec().into()).await.expect("stored");
        let file = FileKey::parse(key).expect("a key");
        let policy = S3Policy::read_object(&private(server), &file).expect("a policy");
        let credentials = assume(server, role, &policy).await;
        let left = credentials.expiry().expect("an end").duration_since(SystemTime::now()).expect("later");
        assert!(left <= Duration::from_secs(900) && left > Duration::from_secs(800), "{left:?}");

        let one = client(server, &credentials);
        let read = one.get(&path(key)).await.expect("granted").bytes().await.expect("whole");
        assert_eq!(read, key.as_bytes());
        denied("another object", &one.get(&path("c/one-more")).await);
        // Ceph says 404 here, AWS 403.
        assert!(one.get(&path("c/none")).await.is_err());
        denied("writing it", &one.put(&path(key), "changed".into()).await);
        denied("writing another", &one.put(&path("c/new"), "new".into()).await);
        denied("deleting it", &one.delete(&path(key)).await);
        denied("listing", &one.list_with_delimiter(Some(&path("c"))).await);

        // The same credentials sign URLs.
        let signer = S3Signer::new(private(server), user(server));
        let credentials = Arc::new(credentials);
        let sign = async |key: &str, method| {
            let grant = grant(&Download::new(FileKey::parse(key).expect("a key"))).await;
            let (lifetime, now) = (Duration::from_secs(60), SystemTime::now());
            signer.sign_with(&credentials, &grant, method, lifetime, now).expect("signed").expose().to_owned()
        };
        let url = sign(key, &Method::GET).await;
        let answer = fetch("GET", &url, &[]).await;
        assert_eq!((answer.status.as_u16(), answer.body.as_slice()), (200, key.as_bytes()));
        assert_eq!(fetch("GET", &sign("c/one-more", &Method::GET).await, &[]).await.status, 403);
        assert_eq!(fetch("PUT", &sign(key, &Method::PUT).await, &["content-length: 0"]).await.status, 403);
        assert_eq!(fetch("DELETE", &sign(key, &Method::DELETE).await, &[]).await.status, 403);
        let token = url.split('&').find(|part| part.starts_with("X-Amz-Security-Token=")).expect("a token");
        for changed in
            [url.replace(&format!("&{token}"), ""), url.replace(token, "X-Amz-Security-Token=AAAA")]
        {
            assert_ne!(changed, url);
            assert_eq!(fetch("GET", &changed, &[]).await.status, 403);
        }
    }
    let still = owner.get(&path("c/one")).await.expect("there").bytes().await.expect("whole");
    assert_eq!(still, "c/one");
}

async fn the_demos_policy_reads_and_writes(server: &Radosgw, role: &str) {
    let policy = S3Policy::read_and_write(&private(server), "uploads/").expect("a policy");
    let credentials = assume(server, role, &policy).await;
    let app = client(server, &credentials);
    app.put(&path("uploads/new"), "new".into()).await.expect("written");
    let read = app.get(&path("uploads/new")).await.expect("read").bytes().await.expect("whole");
    assert_eq!(read, "new");
    denied("deleting", &app.delete(&path("uploads/new")).await);
    denied("listing", &app.list_with_delimiter(Some(&path("uploads"))).await);
    denied("reading elsewhere", &app.get(&path("c/one")).await);
    denied("writing elsewhere", &app.put(&path("c/new"), "new".into()).await);
    denied("writing beside", &app.put(&path("uploads-too"), "new".into()).await);

    let signer = S3Signer::new(private(server), credentials);
    let grant = grant(&Download::new(FileKey::parse("uploads/new").expect("a key"))).await;
    let signed = secure_download::UrlSigner::sign(
        &signer,
        &grant,
        &Method::GET,
        Duration::from_secs(5),
        SystemTime::now(),
    );
    let answer = fetch("GET", signed.await.expect("signed").expose(), &[]).await;
    assert_eq!((answer.status.as_u16(), answer.body.as_slice()), (200, &b"new"[..]));
}

/// Everything that the demos do, with credentials that may do what `--print-policy` says and no more.
async fn the_demos_run_under_their_policy(server: &Radosgw, role: &str) {
    let endpoint = server.endpoint();
    let arguments = ["--s3-endpoint", endpoint, "--s3-bucket", "private", "--s3-region", "us-east-1"];
    for name in ["demo-axum", "demo-actix"] {
        let program = demos::program(name);
        let printed = Command::new(&program).arg("--print-policy").args(arguments).output().expect("it runs");
        let policy = S3Policy::read_and_write(&private(server), "demo/").expect("a policy");
        assert_eq!(String::from_utf8_lossy(&printed.stdout).trim(), policy.as_json());
        let credentials = assume(server, role, &policy).await;
        denied("listing", &client(server, &credentials).list_with_delimiter(None).await);
        let environment = [
            ("AWS_ACCESS_KEY_ID", credentials.access_key()),
            ("AWS_SECRET_ACCESS_KEY", credentials.expose_secret_key()),
            ("AWS_SESSION_TOKEN", credentials.expose_session_token().expect("temporary")),
        ];
        let bucket = Bucket { arguments: &arguments, environment: &environment };
        demo::suite::run_presigned_at(&program, bucket).await;
        for proxy in ["nginx", "caddy"] {
            demo::suite::run_masked_at(&program, proxy, bucket).await;
        }
    }
}
