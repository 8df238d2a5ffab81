//! Every observer told the same stories: what it says, and what it never says.

#![cfg(all(feature = "json", feature = "metrics", feature = "tracing"))]

use std::collections::{BTreeMap, HashMap};
use std::io::Write;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use futures::executor::block_on;
use http::{HeaderMap, Method, Response};
use metrics::{
    Counter, CounterFn, Gauge, GaugeFn, Histogram, HistogramFn, Key, KeyName, Metadata, SharedString, Unit,
};
use secure_download_core::{
    Body, Decision, DeliveryError, DeliveryStrategy, Download, FileKey, FirstOf, Gate, Grant, Observer,
    RequestHead, signed_in,
};
use secure_download_observe::{JsonLines, Metrics, RedactionKey, Tracing, redact_id};
use secure_download_presign::{LocalKey, LocalSigner, Presign};
use serde_json::Value;

const KEY: &[u8] = b"hush-hush-hush-hush-hush-hush-hu";

/// A log in memory.
#[derive(Clone, Default)]
struct Memory(Arc<Mutex<Vec<u8>>>);

impl Memory {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().expect("not poisoned").clone()).expect("UTF-8")
    }
}

impl Write for Memory {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("not poisoned").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Sends, declines or fails, by the name of the file.
struct ByName;

#[async_trait]
impl DeliveryStrategy for ByName {
    fn name(&self) -> &'static str {
        "by-name"
    }

    async fn deliver(&self, grant: Grant, _: &RequestHead) -> Result<Response<Body>, DeliveryError> {
        match grant.download().key().as_str() {
            "bytes" => Ok(Response::new(Body::full("bytes"))),
            "broken" => Err(DeliveryError::Unavailable {
                retry_after: None,
                source: "GET https://store.example/b?X-Amz-Signature=5ec4e7 timed out".into(),
            }),
            _ => Err(grant.decline("by-name", "no proof; see https://store.example/b?sig=5ec4e7")),
        }
    }
}

fn gate(observer: impl Observer + 'static) -> Gate<Option<String>, Download> {
    let files = ["bytes", "broken", "elsewhere"];
    let file = |name: &str| (name.to_owned(), Download::new(FileKey::parse(name).expect("a key")));
    let signer = LocalSigner::new("/blobs/", LocalKey::new(KEY).expect("a key"));
    Gate::builder(files.map(file).into_iter().collect::<HashMap<_, _>>())
        .authorizer(signed_in(|user: &String, _: &Download| Decision::allow_if(user == "alice\n\u{202e}")))
        .strategy(FirstOf::new(ByName).or(Presign::new(signer)))
        .subject_label(|user| user.as_deref().unwrap_or("nobody").into())
        .observer(observer)
        .build()
}

fn ask(gate: &Gate<Option<String>, Download>, who: Option<&str>, id: &str) -> Response<Body> {
    let head = RequestHead::new(&Method::GET, &HeaderMap::new());
    block_on(gate.serve(&who.map(str::to_owned), id, &head))
}

fn read(response: Response<Body>) {
    let mut body = response.into_body();
    while let Some(chunk) = block_on(std::future::poll_fn(|cx| body.poll_chunk(cx))) {
        drop(chunk.expect("bytes"));
    }
}

const ALICE: Option<&str> = Some("alice\n\u{202e}");

/// Every kind of end, and whatever clients may send. Returns the signed URL that one of them got.
fn stories(observer: impl Observer + 'static) -> String {
    let gate = gate(observer);
    read(ask(&gate, ALICE, "bytes"));
    drop(ask(&gate, ALICE, "bytes"));
    read(ask(&gate, ALICE, "broken"));
    let redirect = ask(&gate, ALICE, "elsewhere");
    let url = redirect.headers()["location"].to_str().expect("ASCII").to_owned();
    read(ask(&gate, None, "bytes"));
    read(ask(&gate, Some("bob"), "bytes"));
    read(ask(&gate, Some("bob"), "a\"b\\c\r\nd\u{2028}"));
    // A token that somebody tries as an id.
    read(ask(&gate, Some("bob"), url.trim_start_matches("/blobs/")));
    url
}

fn no_secret_in(text: &str, url: &str) {
    let token = url.trim_start_matches("/blobs/");
    assert!(token.len() > 64, "it is a token");
    for secret in [token, &token[..40], "5ec4e7", "hush"] {
        assert!(!text.contains(secret), "a secret in {text}");
    }
}

#[test]
fn json_lines_tell_each_story() {
    let memory = Memory::default();
    let audit = JsonLines::new(memory.clone());
    let url = stories(audit.clone());
    audit.flush();
    let text = memory.text();
    no_secret_in(&text, &url);
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let told: Vec<String> = lines
        .iter()
        .map(|line| {
            let fields = [
                "event", "subject", "id", "key", "method", "strategy", "outcome", "bytes", "status", "cause",
            ];
            let told = fields.map(|name| match &line[name] {
                Value::Null => String::new(),
                Value::String(text) => format!("{text} "),
                other => format!("{other} "),
            });
            told.concat().trim_end().to_owned()
        })
        .collect();
    let alice = "alice\n\u{202e}";
    assert_eq!(
        told,
        [
            format!("granted {alice} bytes bytes GET"),
            format!("delivered {alice} bytes bytes by-name sent 5 200"),
            format!("granted {alice} bytes bytes GET"),
            format!("delivered {alice} bytes bytes by-name cut 0 200"),
            format!("granted {alice} broken broken GET"),
            format!("refused {alice} broken broken 503 delivery-failed"),
            format!("granted {alice} elsewhere elsewhere GET"),
            "declined by-name".to_owned(),
            format!("delivered {alice} elsewhere elsewhere presign redirected 302"),
            "refused nobody bytes 401 not-admitted".to_owned(),
            "refused bob bytes 404 denied".to_owned(),
            "refused bob a\"b\\c\r\nd\u{2028} 404 unknown-id".to_owned(),
            format!("refused bob {} 404 unknown-id", redact_id(url.trim_start_matches("/blobs/"))),
        ]
    );
    for line in &lines {
        assert_eq!(line["audit_id"].as_str().map(str::len), Some(32), "{line}");
        let time = line["time"].as_str().expect("a time");
        assert!(time.len() == 24 && time.ends_with('Z') && time.starts_with("20"), "{time}");
        let ended = line["event"] == "delivered";
        assert_eq!(line["duration_ms"].is_number(), ended, "{line}");
    }
    assert_eq!(lines[0]["audit_id"], lines[1]["audit_id"], "one request, one id");
    assert!(!text.contains(['\r', '\u{2028}', '\u{202e}']), "nothing moves a cursor");
    assert_eq!(audit.lost(), 0);
}

/// A disk that takes so many bytes, is full for one write, and then has room again.
struct Full(Arc<Mutex<Vec<u8>>>, usize);

impl Write for Full {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        if self.1 == 0 {
            self.1 = usize::MAX;
            return Err(std::io::ErrorKind::StorageFull.into());
        }
        let count = bytes.len().min(self.1);
        self.1 -= count;
        self.0.lock().expect("not poisoned").extend_from_slice(&bytes[..count]);
        Ok(count)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_line_that_cannot_be_written_is_counted() {
    // At once, and in the middle of a line.
    for room in [0, 30] {
        let memory = Memory::default();
        let audit = JsonLines::new(Full(Arc::clone(&memory.0), room));
        drop(stories(audit.clone()));
        drop(audit);
        let text = memory.text();
        let lost = text.lines().find(|line| line.contains("\"lost\"")).expect("told");
        let lost: Value = serde_json::from_str(lost).expect("JSON");
        assert_eq!(lost["lines"], 1);
        let whole = text.lines().filter(|line| serde_json::from_str::<Value>(line).is_ok()).count();
        assert_eq!(whole, 13, "twelve lines and one about the other");
        assert_eq!(text.lines().count(), 13 + usize::from(room > 0), "{text}");
    }
}

#[test]
fn what_hides_or_turns_the_direction_is_escaped() {
    let memory = Memory::default();
    let gate = gate(JsonLines::new(memory.clone()));
    let id = "a\u{61c}\u{feff}\u{200b}\u{2060}\u{e0041}\u{ad}\u{fe0f}z";
    read(ask(&gate, None, id));
    drop(gate);
    let text = memory.text();
    assert!(text.is_ascii(), "{text}");
    let line: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(line["id"], id);
}

/// A row that is found by a number, so that zeros in front change nothing.
#[test]
fn padded_ids_are_told_apart_and_recognised() {
    let key = || RedactionKey::new("a key that two processes share, of 32 bytes").expect("long enough");
    let ids = [format!("{:0>64}", 7), format!("{:0>65}", 7), format!("{:0>64}", 8), "7".repeat(63)];
    let stories = |observer: Box<dyn Fn() -> Gate<Option<String>, Download> + '_>| {
        let gate = observer();
        for id in ids.iter().chain(&ids) {
            read(ask(&gate, Some("mallory"), id));
        }
    };
    let memory = Memory::default();
    stories(Box::new(|| gate(JsonLines::new(memory.clone()).redaction_key(key()))));
    let told: Vec<String> = memory.text().lines().map(id_of).collect();
    let expected: Vec<String> = ids.iter().chain(&ids).map(|id| key().id(id).into_owned()).collect();
    assert_eq!(told, expected);
    for (index, id) in told[..4].iter().enumerate() {
        assert!(!told[..index].contains(id), "told apart: {told:?}");
        assert!(!id.contains("0000007"), "{id}");
    }
    assert_eq!(told[3], ids[3], "63 bytes are no token");

    let traced = Memory::default();
    let writer = traced.clone();
    let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(move || writer.clone()).finish();
    tracing::subscriber::with_default(subscriber, || {
        stories(Box::new(|| gate(Tracing::new().redaction_key(key()))));
    });
    for (line, id) in traced.text().lines().zip(expected) {
        assert!(line.contains(&format!("id=\"{id}\"")), "{line}");
    }
}

fn id_of(line: &str) -> String {
    let line: Value = serde_json::from_str(line).expect("JSON");
    line["id"].as_str().expect("an id").to_owned()
}

#[test]
fn spans_and_events_tell_each_story() {
    let memory = Memory::default();
    let writer = memory.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_ansi(false)
        .with_span_events(tracing_subscriber::fmt::format::FmtSpan::CLOSE)
        .with_writer(move || writer.clone())
        .finish();
    let url = tracing::subscriber::with_default(subscriber, || stories(Tracing::new()));
    let text = memory.text();
    no_secret_in(&text, &url);
    for (told, times) in [
        ("granted", 4),
        ("delivered", 3),
        ("declined", 1),
        ("refused", 5),
        ("close", 4),
        ("outcome=\"sent\"", 2),
        ("outcome=\"cut\"", 2),
        ("cause=\"delivery-failed\"", 1),
        ("status=503", 1),
    ] {
        let lines = text.lines().filter(|line| line.contains(told)).count();
        assert_eq!(lines, times, "{told}: {text}");
    }
    assert_eq!(text.lines().filter(|line| line.contains("WARN")).count(), 1, "5xx alone warns: {text}");
}

/// Adds up what was told, by name and labels.
#[derive(Clone, Default)]
struct Recorder(Arc<Mutex<BTreeMap<String, f64>>>);

struct Cell(Recorder, String);

impl Cell {
    fn add(&self, value: f64) {
        *self.0.0.lock().expect("not poisoned").entry(self.1.clone()).or_default() += value;
    }
}

#[expect(clippy::cast_precision_loss, reason = "small numbers")]
impl CounterFn for Cell {
    fn increment(&self, value: u64) {
        self.add(value as f64);
    }

    fn absolute(&self, _: u64) {}
}

impl GaugeFn for Cell {
    fn increment(&self, value: f64) {
        self.add(value);
    }

    fn decrement(&self, value: f64) {
        self.add(-value);
    }

    fn set(&self, _: f64) {}
}

impl HistogramFn for Cell {
    fn record(&self, _: f64) {
        self.add(1.0);
    }
}

impl Recorder {
    fn cell(&self, key: &Key) -> Arc<Cell> {
        let labels: Vec<String> =
            key.labels().map(|label| format!("{}={}", label.key(), label.value())).collect();
        Arc::new(Cell(self.clone(), format!("{}{{{}}}", key.name(), labels.join(","))))
    }
}

impl metrics::Recorder for Recorder {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        Counter::from_arc(self.cell(key))
    }

    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::from_arc(self.cell(key))
    }

    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::from_arc(self.cell(key))
    }
}

#[test]
fn metrics_count_each_story() {
    let recorder = Recorder::default();
    let url = metrics::with_local_recorder(&recorder, || stories(Metrics::new()));
    let told = recorder.0.lock().expect("not poisoned").clone();
    no_secret_in(&format!("{told:?}"), &url);
    let told: Vec<String> = told.iter().map(|(name, value)| format!("{name} {value}")).collect();
    let name = |rest: &str| format!("secure_download_{rest}");
    assert_eq!(
        told,
        [
            "bytes_total{strategy=by-name} 5",
            "declined_total{strategy=by-name} 1",
            "delivered_total{strategy=by-name,outcome=cut} 1",
            "delivered_total{strategy=by-name,outcome=sent} 1",
            "delivered_total{strategy=presign,outcome=redirected} 1",
            "duration_seconds{strategy=by-name,outcome=cut} 1",
            "duration_seconds{strategy=by-name,outcome=sent} 1",
            "duration_seconds{strategy=presign,outcome=redirected} 1",
            "granted_total{} 4",
            "refused_total{status=401,cause=not-admitted} 1",
            "refused_total{status=404,cause=denied} 1",
            "refused_total{status=404,cause=unknown-id} 2",
            "refused_total{status=503,cause=delivery-failed} 1",
            "running{} 0",
        ]
        .map(name)
    );
}

#[test]
fn a_pair_and_an_arc_are_observers() {
    let (one, two) = (Memory::default(), Memory::default());
    let pair = (JsonLines::new(one.clone()), Arc::new(JsonLines::new(two.clone())));
    drop(stories(pair));
    assert_eq!((one.text().lines().count(), two.text().lines().count()), (13, 13));
}
