//! A catalog that names anything, over a folder that somebody else plants: no byte from outside, no hang, no 500.
#![cfg(target_os = "linux")]

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use http::{HeaderMap, Method};
use proptest::strategy::Strategy as _;
use rustix::fs::{CWD, FileType, Mode, RenameFlags, mknodat, renameat_with};
use secure_download_core::{Decision, Download, FileKey, Gate, RequestHead, find_with};
use secure_download_stream::Stream;

/// What no answer may hold.
const OUTSIDE: &[u8] = b"OUTSIDE";
/// What a granted file holds.
const INSIDE: &[u8] = b"inside";

/// Every id that is a key is granted.
fn gate(stream: Stream) -> Gate<(), Download> {
    let catalog = find_with(|id: &str| {
        let download = FileKey::parse(id).ok().map(Download::new);
        async move { Ok(download) }
    });
    Gate::builder(catalog).authorizer(|(): &(), _: &Download| Decision::Allow).strategy(stream).build()
}

fn both_ways(root: &Path) -> [Gate<(), Download>; 2] {
    [Stream::local(root), Stream::local_portable(root)].map(|stream| gate(stream.expect("a folder")))
}

/// Status and body; a request that hangs fails the test.
async fn get(gate: &Gate<(), Download>, key: &str) -> (u16, Vec<u8>) {
    let head = RequestHead::new(&Method::GET, &HeaderMap::new());
    let answer = async {
        let response = gate.serve(&(), key, &head).await;
        let status = response.status().as_u16();
        let mut body = response.into_body();
        let mut bytes = Vec::new();
        while let Some(Ok(chunk)) = std::future::poll_fn(|cx| body.poll_chunk(cx)).await {
            bytes.extend_from_slice(&chunk);
        }
        (status, bytes)
    };
    tokio::time::timeout(Duration::from_secs(30), answer).await.expect("an answer")
}

/// `root` beside `outside`, with every kind of entry that a hostile hand could plant.
fn plant() -> tempfile::TempDir {
    let home = tempfile::tempdir().expect("a folder");
    let (root, outside) = (home.path().join("root"), home.path().join("outside"));
    fs::create_dir_all(root.join("folder/deep")).expect("a folder");
    fs::create_dir(&outside).expect("a folder");
    fs::write(outside.join("secret"), OUTSIDE).expect("write");
    for name in ["file", "folder/file", "folder/deep/file", "a%2fb", "a b", "é"] {
        fs::write(root.join(name), INSIDE).expect("write");
    }
    for (target, link) in [
        ("file", "link"),
        ("folder", "folder-link"),
        ("../../root/folder/file", "folder/deep/out-and-in"),
        ("../file", "folder/up"),
        ("../outside/secret", "out"),
        ("../outside", "out-folder"),
        ("../../outside/secret", "folder/out"),
        ("..", "parent"),
        ("/", "slash"),
        ("/proc/self/root", "magic"),
        ("/proc/self/cwd", "magic-cwd"),
        ("/dev/zero", "zero"),
        ("loop-b", "loop-a"),
        ("loop-a", "loop-b"),
        ("nowhere", "dangling"),
    ] {
        symlink(target, root.join(link)).expect("a link");
    }
    symlink(outside.join("secret"), root.join("absolute")).expect("a link");
    symlink(&root, root.join("absolute-to-root")).expect("a link");
    fs::hard_link(root.join("file"), root.join("hard-link")).expect("a link");
    mknodat(CWD, root.join("fifo"), FileType::Fifo, Mode::RWXU, 0).expect("a FIFO");
    std::os::unix::net::UnixListener::bind(root.join("socket")).expect("a socket");
    // Only root may make devices: /dev/zero, which would never end, and /dev/null.
    let _ = mknodat(CWD, root.join("device"), FileType::CharacterDevice, Mode::RWXU, (1 << 8) | 5);
    let _ = mknodat(CWD, root.join("null"), FileType::CharacterDevice, Mode::RWXU, (1 << 8) | 3);
    fs::set_permissions(root.join("folder/deep"), fs::Permissions::from_mode(0o755)).expect("permissions");
    home
}

#[tokio::test]
async fn planted_entries_open_inside_or_not_at_all() {
    let home = plant();
    let absolute = home.path().join("outside/secret");
    let long = "x".repeat(256);
    let deep = vec!["d"; 500].join("/");
    for gate in both_ways(&home.path().join("root")) {
        for key in [
            "file",
            "folder/file",
            "folder/deep/file",
            "a%2fb",
            "a b",
            "é",
            "link",
            "folder-link/file",
            "folder-link/deep/file",
            "folder/up",
            "hard-link",
        ] {
            assert_eq!(get(&gate, key).await, (200, INSIDE.to_vec()), "{key}");
        }
        for key in [
            "out",
            "out-folder/secret",
            "folder/out",
            "folder/deep/out-and-in",
            "absolute",
            "absolute-to-root/file",
            "parent/outside/secret",
            "parent",
            "slash/etc/passwd",
            "magic/etc/passwd",
            "magic-cwd/Cargo.toml",
            "zero",
            "loop-a",
            "dangling",
            "fifo",
            "socket",
            "device",
            "null",
            "folder",
            "folder-link",
            "file/file",
            "missing",
            "missing/file",
            "%2e%2e/outside/secret",
            "a/b",
            "...",
            long.as_str(),
            deep.as_str(),
            // A key that an absolute path cannot become.
            absolute.to_str().expect("UTF-8"),
        ] {
            let (status, body) = get(&gate, key).await;
            assert_eq!((status, body.as_slice()), (404, &b"404 Not Found\n"[..]), "{key}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_folder_swapped_for_a_way_out_never_leads_out() {
    let home = plant();
    let root = home.path().join("root");
    fs::write(root.join("folder/secret"), INSIDE).expect("write");
    let (folder, link) = (root.join("folder"), root.join("out-folder"));
    let stop = AtomicBool::new(false);
    let gates = both_ways(&root);
    let runtime = tokio::runtime::Handle::current();
    let mut seen = std::collections::BTreeMap::<u16, u32>::new();
    tokio::task::block_in_place(|| {
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    // `folder` is now the real one, now the link that leads out.
                    renameat_with(CWD, &folder, CWD, &link, RenameFlags::EXCHANGE).expect("exchanged");
                }
            });
            for round in 0..20_000 {
                let (status, body) = runtime.block_on(get(&gates[round % 2], "folder/secret"));
                *seen.entry(status).or_default() += 1;
                assert!(body != OUTSIDE, "a byte from outside");
                assert!(status != 200 || body == INSIDE);
                assert!(matches!(status, 200 | 404 | 503), "{status}");
            }
            stop.store(true, Ordering::Relaxed);
        });
    });
    assert!(seen.contains_key(&200) && seen.contains_key(&404), "the race was run: {seen:?}");
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(64))]

    /// Segments of the planted tree in any order, and random text between them.
    #[test]
    fn no_key_leads_out(keys in proptest::collection::vec(proptest::collection::vec(
        proptest::prop_oneof![
            proptest::sample::select(vec![
                "file", "folder", "deep", "link", "folder-link", "out", "out-folder", "parent", "slash", "magic", "outside",
                "secret", "root", "etc", "passwd", "up", "proc", "self", "absolute-to-root", "loop-a", "fifo",
            ]).prop_map(str::to_owned),
            "\\PC{1,6}",
        ], 1..6), 32)) {
        let home = plant();
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        let gates = both_ways(&home.path().join("root"));
        for key in keys.iter().map(|segments| segments.join("/")) {
            for gate in &gates {
                let (status, body) = runtime.block_on(get(gate, &key));
                proptest::prop_assert!(matches!(status, 200 | 404), "{} {}", key, status);
                proptest::prop_assert!(status != 200 || body == INSIDE, "{}", key);
            }
        }
    }
}

#[tokio::test]
async fn links_are_refused_where_that_is_asked_for() {
    let home = plant();
    let root = home.path().join("root");
    // The root itself may be reached through a link.
    symlink(&root, home.path().join("root-link")).expect("a link");
    for root in [root.clone(), home.path().join("root-link")] {
        for stream in [Stream::local(&root), Stream::local_portable(&root)] {
            let stream = stream.and_then(|stream| stream.local_volume("too", &root)).expect("a folder");
            let gate = gate(stream.refuse_symlinks());
            for key in ["file", "folder/file", "folder/deep/file", "a%2fb", "a b", "é", "hard-link"] {
                assert_eq!(get(&gate, key).await, (200, INSIDE.to_vec()), "{key}");
            }
            for key in [
                "link",
                "folder-link/file",
                "folder-link/deep/file",
                "folder/up",
                "out",
                "out-folder/secret",
                "folder/deep/out-and-in",
                "absolute",
                "absolute-to-root/file",
                "parent/root/file",
                "loop-a",
                "dangling",
                "zero",
                "fifo",
                "folder",
                "file/file",
                "missing",
            ] {
                let (status, body) = get(&gate, key).await;
                assert_eq!((status, body.as_slice()), (404, &b"404 Not Found\n"[..]), "{key}");
            }
        }
    }
}
