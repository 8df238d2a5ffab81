//! The doctor's exit status, and whom it trusts: the program itself against servers of the test.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Command, Output};
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

const TOKEN: &str = "0123456789abcdef0123456789abcdef";
const NOT_FOUND: &str = "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";

fn doctor(url: &str, more: &[&str], trusted: Option<&Path>) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_secure-download"));
    command.env_remove("SSL_CERT_DIR").env_remove("SSL_CERT_FILE");
    if let Some(file) = trusted {
        command.env("SSL_CERT_FILE", file);
    }
    let arguments = ["doctor", "--url", url, "--token", TOKEN, "--head-seconds", "0"];
    command.args(arguments).args(more).output().expect("it runs")
}

/// Answers each connection's first request.
fn serve(answer: impl Fn(&str) -> String + Send + 'static, tls: Option<Arc<ServerConfig>>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            // A client that does not trust the certificate hangs up.
            let _ = match &tls {
                None => reply(stream, &answer),
                Some(tls) => {
                    let connection = ServerConnection::new(Arc::clone(tls)).expect("a connection");
                    reply(StreamOwned::new(connection, stream), &answer)
                }
            };
        }
    });
    address
}

fn reply(mut stream: impl Read + Write, answer: impl Fn(&str) -> String) -> std::io::Result<()> {
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    stream.write_all(answer(&String::from_utf8_lossy(&head)).as_bytes())?;
    stream.flush()
}

#[test]
fn the_exit_status_says_what_is_known() {
    let limited = |head: &str| {
        if head.starts_with("POST ") {
            let described = r#"{"dialect":null,"roots":[],"masked":null,"signer":true}"#;
            let text = format!("secure-download doctor\n{described}\n");
            return format!(
                "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{text}",
                text.len()
            );
        }
        NOT_FOUND.replace("404 Not Found", "429 Too Many Requests")
    };
    let url = format!("http://{}", serve(limited, None));
    let output = doctor(&url, &[], None);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(3), "{text}");
    assert!(text.contains("a rate limiter answered: 429") && !text.contains("No fault"), "{text}");
    assert_eq!(doctor(&url, &["--allow-unknown"], None).status.code(), Some(0));
    let json = doctor(&url, &["--json"], None);
    let report: serde_json::Value = serde_json::from_slice(&json.stdout).expect("JSON");
    assert_eq!((&report["healthy"], json.status.code()), (&false.into(), Some(3)), "{report}");
    assert!(report["rows"].as_array().expect("rows").iter().any(|row| row["verdict"] == "not-known"));
    // A fault is a fault, whatever is allowed.
    let missing = format!("http://{}", serve(|_| NOT_FOUND.to_owned(), None));
    assert_eq!(doctor(&missing, &["--allow-unknown"], None).status.code(), Some(1));
}

#[test]
fn authorities_of_the_system_and_of_files_are_trusted() {
    let mut params = CertificateParams::new(Vec::new()).expect("no names");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority =
        CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key")).expect("signed");
    let key = KeyPair::generate().expect("a key");
    let params = CertificateParams::new(vec!["localhost".to_owned()]).expect("a name");
    let certificate = params.signed_by(&key, &authority).expect("signed");
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .expect("a certificate");
    let address = serve(|_| NOT_FOUND.to_owned(), Some(Arc::new(config)));
    let url = format!("https://localhost:{}", address.port());
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("authority.pem");
    std::fs::write(&file, authority.pem()).expect("written");
    let path = file.to_str().expect("UTF-8");
    for (more, trusted, said) in [
        (&[][..], None, "certificate: "),
        (&["--ca", path], None, "doctor-token"),
        (&[], Some(file.as_path()), "doctor-token"),
    ] {
        let output = doctor(&url, more, trusted);
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!(output.status.code(), Some(1), "{text}");
        assert!(text.contains(said), "{more:?} {trusted:?}: {said}\n{text}");
        assert_eq!(text.contains("--ca FILE"), said == "certificate: ", "{text}");
    }
    for (file, said) in [("/nowhere.pem", "/nowhere.pem"), ("/dev/null", "contains no certificate")] {
        let output = doctor(&url, &["--ca", file], None);
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        assert!(String::from_utf8_lossy(&output.stderr).contains(said), "{output:?}");
        let output = doctor(&url, &[], Some(Path::new(file)));
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        assert!(String::from_utf8_lossy(&output.stderr).contains("SSL_CERT_FILE leads to no"), "{output:?}");
        // Another authority is enough.
        assert_eq!(doctor(&url, &["--ca", path], Some(Path::new(file))).status.code(), Some(1));
    }
}
