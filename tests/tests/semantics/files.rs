//! The files that the table asks for.

use std::fs::File;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use secure_download::{CachePolicy, Download, FileKey};

/// 1,000 bytes that tell their own position: `X000XXXXXXX001XXXXXX...`, as in nginx's range tests.
pub(crate) const PAGE: &str = "page";
/// 11 bytes, as in the tests of Go's `http.FileServer`.
pub(crate) const DIGITS: &str = "digits";
/// 10,000 bytes, as in the examples of RFC 9110 section 14.
pub(crate) const LOG: &str = "log";
/// 300,000 bytes: more than fits in one buffer.
pub(crate) const LARGE: &str = "large";
/// No bytes.
pub(crate) const EMPTY: &str = "empty";
/// One byte.
pub(crate) const ONE: &str = "one";
/// Last changed in 1960.
pub(crate) const OLD: &str = "old";
/// Last changed in the first second of 1970.
pub(crate) const EPOCH: &str = "epoch";
/// Last changed an hour from now.
pub(crate) const FUTURE: &str = "future";
/// As [`DIGITS`]; the client may keep it for a minute.
pub(crate) const CACHED: &str = "cached";
/// More than 4 GiB, nearly all of it a hole.
pub(crate) const SPARSE: &str = "sparse";
/// In the catalog, but not in the store.
pub(crate) const MISSING: &str = "missing";
/// Not in the catalog either.
pub(crate) const UNKNOWN: &str = "unknown";
/// No regular files.
pub(crate) const FOLDER: &str = "folder";
pub(crate) const FIFO: &str = "fifo";
pub(crate) const SOCKET: &str = "socket";

/// The last change of every file of which nothing else is said: `Sun, 06 Nov 1994 08:49:37 GMT`, the date of RFC 9110's
/// examples, and a half second.
const RFC_DATE: Duration = Duration::from_millis(784_111_777_500);

pub(crate) const SPARSE_LENGTH: u64 = (4 << 30) + 1000;

/// Everything that is in the catalog.
pub(crate) fn catalog() -> impl Iterator<Item = (String, Download)> {
    let names = [
        PAGE, DIGITS, LOG, LARGE, EMPTY, ONE, OLD, EPOCH, FUTURE, CACHED, SPARSE, MISSING, FOLDER, FIFO,
        SOCKET,
    ];
    names.into_iter().map(|name| {
        let download = Download::new(FileKey::parse(name).expect("a key"));
        let download = download.content_type("text/plain").filename(format!("{name}.txt"));
        let download = match name {
            CACHED => download.cache(CachePolicy::Private { max_age: Duration::from_secs(60) }),
            _ => download,
        };
        (name.to_owned(), download)
    })
}

/// What a file holds; of [`SPARSE`] only the last 1,000 bytes.
pub(crate) fn contents(name: &str) -> Vec<u8> {
    let numbered =
        |blocks: usize| (0..blocks).map(|n| format!("X{n:05}XXXX")).collect::<String>().into_bytes();
    match name {
        PAGE | SPARSE => (0..100).map(|n| format!("X{n:03}XXXXXX")).collect::<String>().into_bytes(),
        LOG => numbered(1_000),
        LARGE => numbered(30_000),
        EMPTY => Vec::new(),
        ONE => b"1".to_vec(),
        _ => b"0123456789\n".to_vec(),
    }
}

/// Writes the files that any store can hold.
pub(crate) fn write_regular(folder: &Path, now: SystemTime) {
    for name in [PAGE, DIGITS, LOG, LARGE, EMPTY, ONE, OLD, EPOCH, FUTURE, CACHED] {
        let path = folder.join(name);
        std::fs::write(&path, contents(name)).expect("written");
        let modified = match name {
            OLD => UNIX_EPOCH - Duration::from_secs(3_650 * 86_400),
            EPOCH => UNIX_EPOCH,
            FUTURE => now + Duration::from_secs(3_600),
            _ => UNIX_EPOCH + RFC_DATE,
        };
        set_modified(&path, modified);
    }
}

/// Writes what only a local folder holds.
pub(crate) fn write_special(folder: &Path) {
    let sparse = folder.join(SPARSE);
    let file = File::create(&sparse).expect("made");
    file.set_len(SPARSE_LENGTH - 1_000).expect("a hole");
    std::os::unix::fs::FileExt::write_all_at(&file, &contents(SPARSE), SPARSE_LENGTH - 1_000)
        .expect("written");
    set_modified(&sparse, UNIX_EPOCH + RFC_DATE);
    std::fs::create_dir(folder.join(FOLDER)).expect("made");
    let fifo = std::process::Command::new("mkfifo").arg(folder.join(FIFO)).status().expect("coreutils");
    assert!(fifo.success());
    drop(std::os::unix::net::UnixListener::bind(folder.join(SOCKET)).expect("a socket"));
}

pub(crate) fn set_modified(path: &Path, time: SystemTime) {
    let file = File::options().append(true).open(path).expect("open");
    file.set_modified(time).expect("the time is set");
}
