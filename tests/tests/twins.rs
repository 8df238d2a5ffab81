//! The demo on axum and the demo on actix-web, on one data folder: raw requests, and answers that are the same.

mod demos;

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;

use demo::suite::{Demo, Upload, Visitor};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// What the frameworks say each in their way. Besides, the order of fields means nothing.
const OWN_WAY: [&str; 4] = ["date", "server", "connection", "keep-alive"];

/// One answer, without what may differ.
#[derive(Debug, PartialEq)]
struct Seen {
    status: String,
    fields: BTreeSet<String>,
    body: String,
}

async fn ask(address: SocketAddr, request: &[u8]) -> Seen {
    let answer = async {
        let mut stream = TcpStream::connect(address).await.expect("connected");
        stream.write_all(request).await.expect("sent");
        let mut answer = Vec::new();
        // Not to the end of the connection: after an early answer, actix waits for the client to close it.
        while !is_whole(request, &answer) && stream.read_buf(&mut answer).await.expect("bytes") > 0 {}
        answer
    };
    let answer = tokio::time::timeout(Duration::from_secs(20), answer).await;
    let answer = answer.unwrap_or_else(|_| panic!("no end: {}", String::from_utf8_lossy(request)));
    let text = answer.iter().map(|&byte| char::from(byte)).collect::<String>();
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    let mut lines = head.split("\r\n");
    let status = lines.next().unwrap_or_default().to_owned();
    let mut boundary = None;
    let mut fields = BTreeSet::new();
    for line in lines {
        let (name, value) = line.split_once(": ").expect(line);
        let name = name.to_ascii_lowercase();
        if let Some((_, random)) = value.split_once("byteranges; boundary=") {
            boundary = Some(random.to_owned());
        }
        let value = match name.as_str() {
            "set-cookie" => cookie(value),
            _ => value.to_owned(),
        };
        if !OWN_WAY.contains(&name.as_str()) {
            assert!(fields.insert(format!("{name}: {value}")), "twice: {line}");
        }
    }
    let mut seen = Seen { status, fields, body: body.to_owned() };
    if let Some(random) = boundary {
        seen.fields = seen.fields.into_iter().map(|line| line.replace(&random, "BOUNDARY")).collect();
        seen.body = seen.body.replace(&random, "BOUNDARY");
    }
    seen
}

/// Whether all of the answer to `request` has come.
fn is_whole(request: &[u8], answer: &[u8]) -> bool {
    let Some(end) = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n") else { return false };
    let head = String::from_utf8_lossy(&answer[..end]).to_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
    let length = length.filter(|_| !request.starts_with(b"HEAD")).unwrap_or(0);
    answer.len() >= end + 4 + length
}

/// The name and the attributes. The value is the framework's own, and so is the way it says that a cookie has ended.
fn cookie(line: &str) -> String {
    let mut parts = line.split("; ");
    let name = parts.next().and_then(|pair| pair.split('=').next()).unwrap_or_default();
    let mut attributes: Vec<_> = parts.collect();
    attributes.sort_unstable();
    if attributes.contains(&"Max-Age=0") { format!("{name} ends") } else { format!("{name} {attributes:?}") }
}

fn request(method: &str, target: &str, fields: &[&str], body: &str) -> String {
    let mut request = format!("{method} {target} HTTP/1.1\r\nHost: files.localhost\r\nConnection: close\r\n");
    for field in fields {
        request.push_str(field);
        request.push_str("\r\n");
    }
    if !body.is_empty() || method == "POST" {
        request.push_str(&format!("Content-Length: {}\r\n", body.len()));
    }
    format!("{request}\r\n{body}")
}

const FORM: &str = "Content-Type: application/x-www-form-urlencoded";

/// Requests with `COOKIE` where the visitor's cookies belong.
fn requests(known: &str, etag: &str) -> Vec<String> {
    let unknown = "/files/6f1f4bd4-54dd-4d51-9f33-d4b3c8d5a1ee";
    let mut all = Vec::new();
    for visitor in [&[][..], &["COOKIE"]] {
        for target in [
            "/",
            "/login",
            "/logout",
            "/upload",
            "/healthz",
            "/nowhere",
            "/assets/style.css",
            "/assets/none",
            "/d/none",
            "/d/none/file",
            unknown,
            known,
            "/files/",
            "/files/%ff",
            "/files/a%2fb",
            "/files/a%00b",
            "/files/x/share",
            "/files/..%2f..%2fetc%2fpasswd",
            "/%2e%2e/etc/passwd",
            "//",
            "/?inline=1",
            "/files/%zz",
        ] {
            for method in ["GET", "HEAD"] {
                all.push(request(method, target, visitor, ""));
            }
        }
        for target in [
            "/",
            "/login",
            "/logout",
            "/upload",
            "/healthz",
            "/assets/style.css",
            known,
            "/d/none",
            "/nowhere",
        ] {
            for method in ["PUT", "DELETE", "OPTIONS", "PATCH", "PROPFIND"] {
                all.push(request(method, target, visitor, ""));
            }
        }
        for (target, form) in [
            ("/login", "username=alice&password=wrong"),
            ("/login", "username=%ff&password="),
            ("/login", ""),
            ("/files/x/share", "with=bob"),
            ("/files/x/delete", ""),
            ("/files/x/links", "uses=1&seconds=60"),
            ("/d/none", ""),
            ("/d/none/file", ""),
            ("/", ""),
            ("/healthz", ""),
            (known, ""),
        ] {
            all.push(request("POST", target, &[visitor, &[FORM]].concat(), form));
        }
    }
    let share = format!("{known}/share");
    for form in ["with=bob", "with=nobody", "with=", "other=1", "with=%ff", "with=bob&with=alice"] {
        all.push(request("POST", &share, &["COOKIE", FORM], form));
    }
    for (uses, seconds) in [("0", "60"), ("x", "60"), ("1", ""), ("1001", "60")] {
        let form = format!("uses={uses}&seconds={seconds}");
        all.push(request("POST", &format!("{known}/links"), &["COOKIE", FORM], &form));
    }
    for content_type in
        ["Content-Type: application/json", "Content-Type: text/plain", "X-None: 1", "Content-Type: \t"]
    {
        all.push(request("POST", "/login", &[content_type], "{}"));
        all.push(request("POST", &share, &["COOKIE", content_type], "{}"));
    }
    for origin in [
        "Sec-Fetch-Site: cross-site",
        "Sec-Fetch-Site: same-origin",
        "Origin: http://files.localhost",
        "Origin: http://evil.example",
        "Origin: null",
    ] {
        all.push(request("POST", "/login", &[FORM, origin], "username=alice&password=alice"));
        all.push(request("POST", "/logout", &[origin], ""));
    }
    all.push(request("POST", "/login", &[FORM], &"a".repeat(65_536)));
    all.push(request("POST", "/login", &[FORM], &"a".repeat(65_537)));
    for range in [
        "0-0",
        "0-99",
        "-1",
        "-0",
        "5-",
        "5-2",
        "999999999-",
        "0-0,2-2",
        "0-9,5-20,100-",
        "a-b",
        "",
        "0-0,999999999-",
        "00-01",
        "1 - 2",
        "18446744073709551616-",
    ] {
        for method in ["GET", "HEAD"] {
            all.push(request(method, known, &["COOKIE", &format!("Range: bytes={range}")], ""));
        }
    }
    let date = "Thu, 01 Jan 2099 00:00:00 GMT";
    for condition in [
        format!("If-None-Match: {etag}"),
        format!("If-None-Match: W/{etag}"),
        "If-None-Match: *".to_owned(),
        "If-None-Match: \"other\"".to_owned(),
        format!("If-Match: {etag}"),
        "If-Match: \"other\"".to_owned(),
        format!("If-Modified-Since: {date}"),
        format!("If-Unmodified-Since: {date}"),
        "If-Modified-Since: yesterday".to_owned(),
        format!("If-Range: {etag}\r\nRange: bytes=0-1"),
        "If-Range: \"other\"\r\nRange: bytes=0-1".to_owned(),
        "Range: pages=1-2".to_owned(),
        "Range: bytes=0-1\r\nRange: bytes=3-4".to_owned(),
    ] {
        for target in [known.to_owned(), format!("{known}?inline=1")] {
            for method in ["GET", "HEAD"] {
                all.push(request(method, &target, &["COOKIE", &condition], ""));
            }
        }
    }
    for field in [
        "X-HTTP-Method-Override: DELETE",
        "Cookie: session=forged",
        "Cookie: session=; session=",
        "Cookie: \u{1}",
        "Accept-Encoding: gzip, br",
        "Authorization: Basic YWxpY2U6YWxpY2U=",
        "X-Accel-Redirect: /secret",
        "X-Secure-Download-Proof: guess",
        "Forwarded: for=1.2.3.4",
        "TE: trailers",
    ] {
        all.push(request("GET", known, &[field], ""));
        all.push(request("GET", "/login", &[field], ""));
    }
    for (kind, body) in [
        (
            "multipart/form-data; boundary=x",
            "--x\r\nContent-Disposition: form-data; name=\"other\"\r\n\r\na\r\n--x--\r\n",
        ),
        (
            "multipart/form-data; boundary=x",
            "--x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"\"\r\n\r\n\r\n--x--\r\n",
        ),
        (
            "multipart/form-data; boundary=x",
            "--x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a\"\r\n\r\ncut off",
        ),
        (
            "multipart/form-data; boundary=x",
            "--x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"\u{c3}\u{a4}.txt\"\r\n\r\nok\r\n--x--\r\n",
        ),
        ("multipart/form-data; boundary=x", "--x\r\nX: y\r\n\r\nok\r\n--x--\r\n"),
        ("multipart/form-data; boundary=x", ""),
        ("multipart/form-data", "a"),
        ("multipart/mixed; boundary=x", "--x--\r\n"),
        ("text/plain", "file=a"),
    ] {
        let field = format!("Content-Type: {kind}");
        all.push(request("POST", "/upload", &[&field], body));
        all.push(request("POST", "/upload", &["COOKIE", &field], body));
    }
    let absolute = format!(
        "GET http://files.localhost{known} HTTP/1.1\r\nHost: files.localhost\r\nCOOKIE\r\nConnection: close\r\n\r\n"
    );
    all.push(absolute);
    all.push(format!("GET {known} HTTP/1.0\r\nCOOKIE\r\n\r\n"));
    all.push("GET /login HTTP/1.0\r\n\r\n".to_owned());
    let chunked = "Transfer-Encoding: chunked\r\nConnection: close\r\nHost: files.localhost";
    all.push(format!(
        "POST /login HTTP/1.1\r\n{chunked}\r\n{FORM}\r\n\r\n1b\r\nusername=alice&password=bob\r\n0\r\n\r\n"
    ));
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_differ_in_nothing_that_matters() {
    let axum = Demo::start(&demos::program("demo-axum"), &[]).await;
    let actix = axum.start_beside(&demos::program("demo-actix"), &[]).await;
    let mut alices = [
        Visitor::signed_in(axum.address(), "alice").await,
        Visitor::signed_in(actix.address(), "alice").await,
    ];
    let content: String = (0..5000).map(|line| format!("line {line}\n")).collect();
    let id = alices[0].upload(Upload { name: "lines.txt", content: content.as_bytes() }).await;
    let known = format!("/files/{id}");
    // A file that was just written has a weak entity tag, which would change in between. Both are asked equally often, for
    // their pages say how often they were.
    let etag = loop {
        let [first, second] = &mut alices;
        let (first, second) = (first.get(&known).await, second.get(&known).await);
        match (first.field("etag"), second.field("etag")) {
            (Some(one), Some(other)) if one == other && !one.starts_with("W/") => break one.to_owned(),
            _ => {}
        }
    };

    let requests = requests(&known, &etag);
    assert!(requests.len() >= 200, "{}", requests.len());
    let mut differences = String::new();
    for request in &requests {
        let mut seen = Vec::new();
        for (demo, alice) in [&axum, &actix].into_iter().zip(&alices) {
            let request = request.replace("COOKIE", &alice.cookie_line());
            // Latin-1, so that every byte is as it stands.
            let bytes: Vec<u8> = request.chars().map(|character| character as u8).collect();
            seen.push(ask(demo.address(), &bytes).await);
        }
        if seen[0] != seen[1] {
            let request: String = request.chars().take(300).collect();
            let body = if seen[0].body == seen[1].body { "the same" } else { "another" };
            differences.push_str(&format!(
                "{request}\naxum:  {} {:?}\nactix: {} {:?}\nbody: {body}\n\n",
                seen[0].status,
                seen[0].fields.difference(&seen[1].fields).collect::<Vec<_>>(),
                seen[1].status,
                seen[1].fields.difference(&seen[0].fields).collect::<Vec<_>>(),
            ));
        }
    }
    assert!(differences.is_empty(), "of {} requests:\n{differences}", requests.len());
    for demo in [axum, actix] {
        demo.stop().await;
    }
}
