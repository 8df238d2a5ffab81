//! [`Site`]: a server with one small and one large file.

use std::fs;
use std::net::SocketAddr;
use std::process::Stdio;

use demo::suite::{Demo, Upload, Visitor};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

use crate::content::Content;

/// A running server, and what is asked of it.
pub(crate) struct Site {
    pub(crate) address: SocketAddr,
    pub(crate) process_id: u32,
    /// The client that asks for small files.
    pub(crate) visitor: Visitor,
    pub(crate) small: String,
    pub(crate) large: String,
    running: Running,
}

enum Running {
    Demo(Demo),
    /// Killed when dropped, and its folder with it.
    Compared(#[expect(dead_code, reason = "kept, not used")] (Child, tempfile::TempDir)),
}

impl Site {
    /// A demo, whose one user may have so many downloads.
    pub(crate) async fn demo(program: &str, downloads: usize, content: &Content) -> Self {
        let downloads = downloads.to_string();
        let limits = ["--max-downloads", &downloads, "--max-downloads-per-user", &downloads];
        let demo = Demo::start(program, &limits).await;
        let mut visitor = Visitor::signed_in(demo.address(), "alice").await;
        let small = format!("/files/{}", visitor.listed().await[0]);
        let large = visitor.upload(Upload { name: "large.bin", content: content.bytes() }).await;
        Self {
            address: demo.address(),
            process_id: demo.process_id(),
            visitor,
            small,
            large: format!("/files/{large}"),
            running: Running::Demo(demo),
        }
    }

    /// A variant of the program `compared`.
    pub(crate) async fn compared(program: &str, variant: &str, content: &Content) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("large.png"), content.bytes()).expect("written");
        fs::write(folder.path().join("small.png"), &content.bytes()[..1024]).expect("written");
        let mut command = Command::new(program);
        command.arg(variant).arg(folder.path()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().expect("the program starts");
        let mut output = BufReader::new(child.stdout.take().expect("piped")).lines();
        let address = output.next_line().await.expect("text").expect("an address");
        let address = address.parse().expect("an address");
        Self {
            address,
            process_id: child.id().expect("it runs"),
            visitor: Visitor::anonymous(address),
            small: "/files/small.png".to_owned(),
            large: "/files/large.png".to_owned(),
            running: Running::Compared((child, folder)),
        }
    }

    pub(crate) async fn stop(self) {
        if let Running::Demo(demo) = self.running {
            demo.stop().await;
        }
    }
}
