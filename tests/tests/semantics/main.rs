//! What every representation answers, as a table: from local files and from S3, over HTTP/1.1 (one kept connection, then
//! pipelined) and HTTP/2.

mod case;
mod check;
mod conditional;
mod files;
mod range;
mod requirements;

use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;
use std::time::SystemTime;

use secure_download::Stream;
use system_tests::{Http1, Http2, S3Server, allow_everybody, serve};

use crate::case::{Case, Source};
use crate::check::{Known, check};

fn table() -> impl Iterator<Item = &'static Case> {
    range::CASES.iter().chain(conditional::CASES)
}

fn table_for(source: Source) -> Vec<&'static Case> {
    table().filter(|case| case.only.is_none_or(|only| only == source)).collect()
}

/// A server with the table's files and what it says of them.
struct Served {
    source: Source,
    address: SocketAddr,
    known: HashMap<String, Known>,
    _local: tempfile::TempDir,
    _s3: Option<S3Server>,
}

impl Served {
    async fn start(source: Source) -> Self {
        let local = tempfile::tempdir().expect("a folder");
        let now = SystemTime::now();
        let (strategy, s3) = match source {
            Source::Local => {
                files::write_regular(local.path(), now);
                files::write_special(local.path());
                // The change time of a new file is new, whatever its date says: only by length and date is it settled.
                (Stream::local(local.path()).expect("a folder").replicated(), None)
            }
            Source::S3 => {
                let s3 = S3Server::start().await;
                files::write_regular(&s3.bucket(), now);
                (Stream::object_store(s3.store()), Some(s3))
            }
        };
        let catalog: HashMap<_, _> = files::catalog().collect();
        let address = serve(allow_everybody(catalog, strategy)).await;
        let mut known = HashMap::new();
        let mut client = Http1::connect(address).await;
        for case in table_for(source) {
            if !known.contains_key(case.file) {
                let head = client.ask("HEAD", &format!("/{}", case.file), &[]).await;
                let length = match case.file {
                    files::SPARSE => files::SPARSE_LENGTH,
                    file => files::contents(file).len() as u64,
                };
                known.insert(case.file.to_owned(), Known { length, head });
            }
        }
        Self { source, address, known, _local: local, _s3: s3 }
    }

    /// What to ask for, with which lines.
    fn request(&self, case: &Case) -> (String, Vec<String>) {
        (format!("/{}", case.file), self.known[case.file].fields(case))
    }

    fn report(&self, protocol: &str, wrong: &[(&Case, String)]) {
        let lines: Vec<_> = wrong.iter().map(|(case, why)| format!("{}: {why}", case.name)).collect();
        assert!(wrong.is_empty(), "{:?} over {protocol}:\n{}", self.source, lines.join("\n"));
    }
}

async fn over_http1(source: Source) {
    let served = Served::start(source).await;
    // One connection for all: a body too many or too short would be read as the next head.
    let mut client = Http1::connect(served.address).await;
    let mut wrong = Vec::new();
    for case in table_for(source) {
        let (target, fields) = served.request(case);
        let answer = client.ask(case.method, &target, &fields).await;
        wrong.extend(check(case, &served.known[case.file], &answer).err().map(|why| (case, why)));
    }
    served.report("HTTP/1.1", &wrong);
}

async fn pipelined(source: Source) {
    const AT_ONCE: usize = 12;
    let served = Served::start(source).await;
    let mut client = Http1::connect(served.address).await;
    let mut wrong = Vec::new();
    for cases in table_for(source).chunks(AT_ONCE) {
        for case in cases {
            let (target, fields) = served.request(case);
            client.send(case.method, &target, &fields).await;
        }
        for case in cases {
            let answer = client.receive(case.method).await;
            wrong.extend(check(case, &served.known[case.file], &answer).err().map(|why| (*case, why)));
        }
    }
    served.report("pipelined HTTP/1.1", &wrong);
}

async fn over_http2(source: Source) {
    let served = Served::start(source).await;
    let mut client = Http2::connect(served.address).await;
    let mut wrong = Vec::new();
    for case in table_for(source) {
        let (target, fields) = served.request(case);
        let answer = client.ask(case.method, &target, &fields).await;
        wrong.extend(check(case, &served.known[case.file], &answer).err().map(|why| (case, why)));
    }
    served.report("HTTP/2", &wrong);
}

#[tokio::test]
async fn local_over_http1() {
    over_http1(Source::Local).await;
}

#[tokio::test]
async fn local_pipelined() {
    pipelined(Source::Local).await;
}

#[tokio::test]
async fn local_over_http2() {
    over_http2(Source::Local).await;
}

#[tokio::test]
async fn s3_over_http1() {
    over_http1(Source::S3).await;
}

#[tokio::test]
async fn s3_pipelined() {
    pipelined(Source::S3).await;
}

#[tokio::test]
async fn s3_over_http2() {
    over_http2(Source::S3).await;
}

#[test]
fn every_case_has_a_name_of_its_own() {
    let mut names = HashSet::new();
    for case in table() {
        assert!(names.insert(case.name), "two cases are named {}", case.name);
    }
    assert!(names.len() >= 150, "{}", names.len());
}
