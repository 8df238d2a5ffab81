//! The audit log when its writer is slow, hangs, fails or panics.

#![cfg(feature = "json")]

use std::collections::HashMap;
use std::io::{self, BufWriter, Write};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use futures::executor::block_on;
use http::{HeaderMap, Method, Response};
use secure_download_core::{
    Body, Decision, DeliveryError, DeliveryStrategy, Download, FileKey, Gate, Grant, Observer, RequestHead,
    signed_in,
};
use secure_download_observe::JsonLines;
use serde_json::Value;

/// What the disk does now.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Disk {
    Writes,
    Hangs,
    Full,
    Panics,
}

/// A disk in memory.
#[derive(Clone)]
struct Device(Arc<Shared>);

struct Shared {
    state: Mutex<(Disk, Vec<u8>)>,
    turned: Condvar,
}

impl Device {
    fn new(disk: Disk) -> Self {
        Self(Arc::new(Shared { state: Mutex::new((disk, Vec::new())), turned: Condvar::new() }))
    }

    fn turn(&self, disk: Disk) {
        self.0.state.lock().expect("not poisoned").0 = disk;
        self.0.turned.notify_all();
    }

    fn lines(&self) -> Vec<Value> {
        let written = self.0.state.lock().expect("not poisoned").1.clone();
        let text = String::from_utf8(written).expect("UTF-8");
        text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
    }
}

impl Write for Device {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let state = self.0.state.lock().expect("not poisoned");
        let mut state =
            self.0.turned.wait_while(state, |state| state.0 == Disk::Hangs).expect("not poisoned");
        match state.0 {
            Disk::Full => Err(io::ErrorKind::StorageFull.into()),
            Disk::Panics => {
                drop(state);
                panic!("a bug of the writer's")
            }
            _ => {
                state.1.extend_from_slice(bytes);
                Ok(bytes.len())
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

struct Bytes;

#[async_trait]
impl DeliveryStrategy for Bytes {
    fn name(&self) -> &'static str {
        "bytes"
    }

    async fn deliver(&self, _: Grant, _: &RequestHead) -> Result<Response<Body>, DeliveryError> {
        Ok(Response::new(Body::full("bytes")))
    }
}

fn gate(observer: impl Observer + 'static) -> Gate<Option<String>, Download> {
    let file = ("file".to_owned(), Download::new(FileKey::parse("file").expect("a key")));
    Gate::builder(HashMap::from([file]))
        .authorizer(signed_in(|user: &String, _: &Download| Decision::allow_if(user != "bob")))
        .strategy(Bytes)
        .subject_label(|user| user.as_deref().unwrap_or("nobody").into())
        .observer(observer)
        .build()
}

fn ask(gate: &Gate<Option<String>, Download>, who: Option<&str>, id: &str) -> Response<Body> {
    block_on(gate.serve(&who.map(str::to_owned), id, &RequestHead::new(&Method::GET, &HeaderMap::new())))
}

/// Downloads to the end; the status.
fn download(gate: &Gate<Option<String>, Download>, who: &str) -> u16 {
    let (head, mut body) = ask(gate, Some(who), "file").into_parts();
    while let Some(chunk) = block_on(std::future::poll_fn(|cx| body.poll_chunk(cx))) {
        drop(chunk.expect("bytes"));
    }
    head.status.as_u16()
}

fn count(lines: &[Value], event: &str, subject: &str) -> usize {
    lines.iter().filter(|line| line["event"] == event && line["subject"] == subject).count()
}

/// What the summaries say of one status and cause.
fn summed(lines: &[Value], status: u64, cause: &str) -> u64 {
    let summaries = lines.iter().filter(|line| line["event"] == "refused-summary");
    let counts = summaries.flat_map(|line| line["counts"].as_array().expect("an array"));
    let counts = counts.filter(|count| count["status"] == status && count["cause"] == cause);
    counts.map(|count| count["count"].as_u64().expect("a number")).sum()
}

#[test]
fn refusals_push_no_grant_out_of_the_log() {
    const FLOOD: usize = 20_000;
    for before in [0, FLOOD / 2, FLOOD] {
        let device = Device::new(Disk::Hangs);
        let audit = JsonLines::new(device.clone());
        let gate = gate(audit.clone());
        for number in 0..FLOOD {
            if number == before {
                assert_eq!(download(&gate, "mallory"), 200);
            }
            let (who, id) = [(None, "file"), (Some("bob"), "file"), (Some("bob"), "x")][number % 3];
            drop(ask(&gate, who, id));
        }
        if before == FLOOD {
            assert_eq!(download(&gate, "mallory"), 200);
        }
        device.turn(Disk::Writes);
        audit.flush();
        let lines = device.lines();
        assert_eq!((count(&lines, "granted", "mallory"), count(&lines, "delivered", "mallory")), (1, 1));
        assert_eq!(audit.lost(), 0);
        assert!(!lines.iter().any(|line| line["event"] == "lost"));
        let mut refused = 0;
        for (who, status, cause) in
            [("nobody", 401, "not-admitted"), ("bob", 404, "denied"), ("bob", 404, "unknown-id")]
        {
            let told = lines.iter().filter(|line| line["subject"] == who && line["cause"] == cause);
            let told = told.count() as u64 + summed(&lines, status, cause);
            assert!((6666..=6667).contains(&told), "{cause}: {told}");
            refused += told;
        }
        assert_eq!(refused, FLOOD as u64);
        assert!(lines.len() < 5_000, "the rest is summed up: {}", lines.len());
        let granted = lines.iter().position(|line| line["event"] == "granted");
        assert!(granted.is_some_and(|position| position < 300), "grants go ahead: {granted:?}");
        for summary in lines.iter().filter(|line| line["event"] == "refused-summary") {
            let counts = summary["counts"].as_array().expect("an array").iter();
            let sum: u64 = counts.map(|count| count["count"].as_u64().expect("a number")).sum();
            assert_eq!(summary["refusals"], sum);
            assert!(summary["since"].as_str() <= summary["time"].as_str(), "{summary}");
        }
    }
}

#[test]
fn with_an_audit_log_that_is_required_no_file_leaves_unrecorded() {
    for disk in [Disk::Full, Disk::Hangs] {
        for buffered in [false, true] {
            let case = format!("{disk:?}, buffered: {buffered}");
            let device = Device::new(Disk::Writes);
            let audit = if buffered {
                JsonLines::new(BufWriter::new(device.clone()))
            } else {
                JsonLines::new(device.clone())
            };
            let audit = audit.required(if disk == Disk::Hangs { Duration::ZERO } else { Duration::MAX });
            let gate = gate(audit.clone());
            // A patience of nothing is over as soon as a line waits.
            while download(&gate, "early") != 200 {}
            audit.flush();

            device.turn(disk);
            let mut unwritten = 0;
            while download(&gate, "late") == 200 {
                unwritten += 1;
                if disk == Disk::Full {
                    audit.flush();
                }
                assert!(unwritten < 10_000, "{case}: downloads go on");
            }
            let refusal = ask(&gate, Some("late"), "file");
            assert_eq!(refusal.status(), 503, "{case}");
            assert!(refusal.headers().contains_key("retry-after"), "{case}");
            assert_eq!(ask(&gate, None, "file").status(), 401, "{case}: what is refused otherwise stays so");
            assert_eq!(ask(&gate, Some("bob"), "file").status(), 404, "{case}");
            assert_eq!(ask(&gate, Some("late"), "x").status(), 404, "{case}");

            device.turn(Disk::Writes);
            while download(&gate, "again") != 200 {}
            drop(gate);
            drop(audit);
            let lines = device.lines();
            for event in ["granted", "delivered"] {
                assert_eq!(count(&lines, event, "late"), unwritten, "{case}: {event}");
                assert_eq!(count(&lines, event, "again"), 1, "{case}: {event}");
            }
            assert!(!lines.iter().any(|line| line["event"] == "lost"), "{case}");
            let refused: Vec<_> = lines.iter().filter(|line| line["status"] == 503).collect();
            assert!(refused.len() >= 2, "{case}");
            assert!(refused.iter().all(|line| line["cause"] == "observer-not-ready"), "{case}: {refused:?}");
        }
    }
}

#[test]
fn a_writer_that_panics_ends_the_log_and_no_more() {
    for (required, after) in [(false, 200), (true, 503)] {
        let device = Device::new(Disk::Panics);
        let audit = JsonLines::new(device.clone());
        let audit = if required { audit.required(Duration::MAX) } else { audit };
        let gate = gate(audit.clone());
        assert_eq!(download(&gate, "alice"), 200, "nothing is known of the writer yet");
        // Returns, though nothing will ever be written.
        audit.flush();
        assert_eq!(download(&gate, "alice"), after);
        assert!(audit.lost() > 0);
    }
}

#[test]
fn without_a_need_for_it_a_log_that_hangs_is_bounded_and_says_what_it_lost() {
    let device = Device::new(Disk::Hangs);
    let audit = JsonLines::new(device.clone());
    let gate = gate(audit.clone());
    let mut running: Vec<_> = (0..9_000).map(|_| ask(&gate, Some("slow"), "file")).collect();
    let lost = audit.lost();
    assert!((800..=808).contains(&lost), "8192 grants wait, and what the writer has in hand: {lost}");
    running.truncate(4_500);
    assert_eq!(audit.lost(), 2 * lost, "the ends of grants that were lost, and no others");
    drop(running);
    assert_eq!(audit.lost(), 2 * lost);
    device.turn(Disk::Writes);
    audit.flush();
    let lines = device.lines();
    assert_eq!(count(&lines, "granted", "slow"), 9_000 - lost as usize);
    assert_eq!(count(&lines, "delivered", "slow"), 9_000 - lost as usize);
    let told: u64 = lines.iter().filter_map(|line| line["lines"].as_u64()).sum();
    assert_eq!((told, audit.lost()), (2 * lost, 0));
}
