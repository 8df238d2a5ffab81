//! A process that runs out of descriptors. Alone in its program, for it takes them from all others.

use std::collections::HashMap;
use std::fs::File;
use std::path::Path;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use secure_download::{Download, FileKey, Stream};
use system_tests::{Http1, allow_everybody, serve};

#[tokio::test(flavor = "multi_thread")]
async fn without_descriptors_downloads_wait_and_then_go_on() {
    let folder = tempfile::tempdir().expect("a folder");
    let bytes = vec![b'a'; 1 << 20];
    std::fs::write(folder.path().join("file"), &bytes).expect("written");
    let download = Download::new(FileKey::parse("file").expect("a key"));
    let gate = allow_everybody(
        HashMap::from([("file".to_owned(), download)]),
        Stream::local(folder.path()).expect("a folder"),
    );
    let address = serve(gate).await;
    let mut kept = Http1::connect(address).await;
    assert_eq!(kept.ask("GET", "/file", &[]).await.body, bytes);

    let before = getrlimit(Resource::Nofile);
    let some = Rlimit { current: Some(256), maximum: before.maximum };
    setrlimit(Resource::Nofile, some).expect("fewer descriptors");
    let mut connections = Vec::new();
    for _ in 0..3 {
        // The transfer before lets go of its file when the last byte has left.
        while open_beneath(folder.path()) > 0 {
            tokio::task::yield_now().await;
        }
        let mut taken = Vec::new();
        while let Ok(file) = File::open("/dev/null") {
            taken.push(file);
        }
        assert!(taken.len() > 100, "{} were free", taken.len());
        for method in ["GET", "HEAD"] {
            let answer = kept.ask(method, "/file", &[]).await;
            assert_eq!(answer.status, 503, "{method}");
            assert!(answer.field("retry-after").is_some(), "{method}");
            assert_eq!(answer.field("cache-control"), Some("no-store"));
        }
        drop(taken);
        assert_eq!(kept.ask("GET", "/file", &[]).await.body, bytes, "on the kept connection");
        // Kept too: a connection that closes would give back two.
        let mut new = Http1::connect(address).await;
        assert_eq!(new.ask("GET", "/file", &[]).await.body, bytes, "on a new one");
        connections.push(new);
    }
    setrlimit(Resource::Nofile, before).expect("as before");
}

/// How many descriptors of this process are open beneath the folder.
fn open_beneath(folder: &Path) -> usize {
    let descriptors = std::fs::read_dir("/proc/self/fd").expect("descriptors").filter_map(Result::ok);
    let target = descriptors.filter_map(|entry| std::fs::read_link(entry.path()).ok());
    target.filter(|target| target.starts_with(folder) && target != folder).count()
}
