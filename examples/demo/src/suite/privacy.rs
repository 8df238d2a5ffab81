//! What other accounts of the machine, and readers of logs, may see: nothing.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use http::StatusCode;

use super::links::{make, redeem};
use super::{Demo, Upload, Visitor};

/// On a visit with a link; `demo` stops.
pub(super) async fn check(program: &str, arguments: &[&str]) {
    let data = tempfile::tempdir().expect("a folder");
    let audit = data.path().join("audit.jsonl");
    let logged = ["--audit", audit.to_str().expect("UTF-8")];
    let demo = Demo::start(program, &[arguments, &logged].concat()).await;
    let mut alice = Visitor::signed_in(demo.address(), "alice").await;
    let id = alice.upload(Upload { name: "secret.txt", content: b"a secret" }).await;
    let link = make(&mut alice, &id, "5", "3600").await;
    let mut friend = Visitor::anonymous(demo.address());
    friend.get(&link).await;
    let referer = format!("Referer: http://{}{link}", demo.address());
    friend.ask("GET", "/assets/style.css", &[&referer]).await;
    let file = redeem(&mut friend, &link).await;
    assert_eq!(friend.get(&file).await.body, b"a secret"[..]);
    assert_eq!(friend.get(&format!("{link}/nothing")).await.status, StatusCode::NOT_FOUND);
    assert_eq!(
        Visitor::anonymous(demo.address()).get(&format!("/files/{id}")).await.status,
        StatusCode::UNAUTHORIZED
    );

    let token = link.rsplit('/').next().expect("a token").to_owned();
    let mut secrets: Vec<String> = vec![token];
    for visitor in [&alice, &friend] {
        let line = visitor.cookie_line();
        let values = line.trim_start_matches("Cookie: ").split("; ").filter_map(|pair| pair.split_once('='));
        secrets.extend(values.map(|(_, value)| value.to_owned()));
    }
    closed(&demo);
    let (folder, log) = (demo.folder(), demo.log());
    demo.stop().await;
    for secret in &secrets {
        assert!(!log.contains(secret.as_str()), "in the log of the demo");
        for path in below(folder.path()).into_iter().chain([audit.clone()]) {
            let name = path.file_name().expect("a name").to_string_lossy().into_owned();
            // The database holds ids of sessions and links, the keys of both lie beside it.
            if path.is_file() && !name.starts_with("demo.db") {
                let text = fs::read(&path).expect("readable");
                let found = text.windows(secret.len()).any(|window| window == secret.as_bytes());
                assert!(!found, "in {}", path.display());
            }
        }
    }
    let mode = fs::metadata(&audit).expect("a log").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let text = fs::read_to_string(&audit).expect("a log");
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines.iter().all(|line| line.starts_with('{') && line.ends_with('}')), "{text}");
    let told = |words: &[&str]| lines.iter().any(|line| words.iter().all(|word| line.contains(word)));
    assert!(told(&["\"event\":\"granted\"", "\"subject\":\"link ", &id]), "{text}");
    assert!(told(&["\"event\":\"delivered\""]), "{text}");
    assert!(told(&["\"event\":\"refused\"", "\"subject\":\"anonymous\"", &id]), "{text}");
}

/// No file or folder below the data folder is open to other accounts, but those of Apache's workers.
fn closed(demo: &Demo) {
    let workers = demo.is_behind_apache() && rustix::process::geteuid().is_root();
    let folder = demo.data();
    let mode = |path: &Path| fs::symlink_metadata(path).expect("there").permissions().mode() & 0o777;
    assert_eq!(mode(folder), if workers { 0o711 } else { 0o700 });
    let media = folder.join("media");
    for path in below(folder) {
        let is_media = path.starts_with(&media) && workers;
        let most = match path.is_dir() {
            true if is_media => 0o750,
            true => 0o700,
            false if is_media => 0o640,
            false => 0o600,
        };
        // Apache sets the mode of this one itself; the folder is closed.
        let most = if path.ends_with("apache.pid") { 0o644 } else { most };
        assert_eq!(mode(&path) & !most, 0, "{} is {:o}", path.display(), mode(&path));
        if is_media {
            let group = fs::metadata(&path).expect("there").gid();
            assert_ne!(group, 0, "{} belongs to the workers' group", path.display());
        }
    }
}

fn below(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        // What goes away meanwhile was temporary.
        let Ok(entries) = fs::read_dir(&folder) else { continue };
        for entry in entries.flatten() {
            if entry.path().is_dir() {
                folders.push(entry.path());
            }
            found.push(entry.path());
        }
    }
    found.retain(|path| fs::symlink_metadata(path).is_ok());
    found
}
