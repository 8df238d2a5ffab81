//! One server at a time, ours or somebody else's, over the same folder: `cargo xtask load` compares them.
//!
//! `compared VARIANT FOLDER [ENTRIES]` serves `/files/NAME` on a port that it prints. Each variant has one worker thread.
//! `compared handoff FOLDER ADDRESS RUN` also writes `RUN/nginx.conf` for an nginx on that address.
#![expect(clippy::print_stdout, reason = "it says where it listens")]

mod on_actix;
mod on_axum;
mod peers;

use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::path::PathBuf;
use std::sync::Arc;

use object_store::local::LocalFileSystem;
use secure_download::{DeliveryStrategy, Download, Gate, Stream};

use benches::User;

/// What a variant serves.
struct Files {
    folder: PathBuf,
    /// Rows of the catalog beside those of the files.
    entries: usize,
}

impl Files {
    fn names(&self) -> Vec<String> {
        let files = fs::read_dir(&self.folder).expect("a folder");
        files.map(|file| file.expect("a file").file_name().into_string().expect("a plain name")).collect()
    }

    /// A gate as an application has it.
    fn gate(&self, strategy: impl DeliveryStrategy + 'static) -> Gate<Option<User>, Download> {
        let mut keys = self.names();
        keys.extend((0..self.entries).map(|number| format!("entry-{number}")));
        benches::gate_over(strategy, benches::catalog(&keys))
    }

    fn streamed(&self) -> Gate<Option<User>, Download> {
        self.gate(Stream::local(&self.folder).expect("a folder"))
    }

    fn streamed_by_object_store(&self) -> Gate<Option<User>, Download> {
        let store = LocalFileSystem::new_with_prefix(&self.folder).expect("a folder");
        self.gate(Stream::object_store(Arc::new(store)))
    }
}

fn main() {
    demo::raise_descriptor_limit();
    let mut arguments = std::env::args().skip(1);
    let variant = arguments.next().expect("a variant");
    let folder = PathBuf::from(arguments.next().expect("a folder"));
    let rest: Vec<String> = arguments.collect();
    let entries = rest.first().and_then(|count| count.parse().ok()).unwrap_or_default();
    let files = Files { folder, entries };
    match &*variant {
        "axum" => on_axum::serve(files.streamed()),
        "axum-lean" => on_axum::serve_lean(files.streamed()),
        "object_store" => on_axum::serve(files.streamed_by_object_store()),
        "handoff" => on_axum::serve_handing_off(&files, &rest[0], &rest[1]),
        "actix" => on_actix::serve(&files.streamed()),
        "servefile" => peers::serve_file(&files),
        "actix-files" => peers::actix_files(&files),
        "http-serve" => peers::http_serve(&files),
        "nothing" => peers::nothing(),
        _ => panic!("no variant {variant}"),
    }
}

/// A port of this machine.
fn bound() -> TcpListener {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    listener.set_nonblocking(true).expect("a socket");
    listener
}

/// Says where the server listens, once it can be connected to.
fn announced(listener: TcpListener) -> TcpListener {
    println!("{}", listener.local_addr().expect("an address"));
    listener
}

/// One worker and no more: what a request costs shows better than on several.
fn runtime() -> tokio::runtime::Runtime {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.worker_threads(1).enable_all().build().expect("a runtime")
}
