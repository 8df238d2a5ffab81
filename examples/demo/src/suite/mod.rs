//! The black-box tests that every demo application passes, with every strategy: the program is started as a person
//! starts it and driven over its socket. What is checked is the contract, so nothing here knows the code.
#![expect(clippy::missing_panics_doc, reason = "a test panics where it fails")]

mod accounts;
mod downloads;
mod limits;
mod links;
mod masked;
mod presign;
mod program;
mod refusals;
mod shared_links;
mod uploads;
mod visitor;

pub use self::presign::run_presigned;
pub use self::program::Demo;
pub use self::shared_links::run_shared_links;
pub use self::visitor::{Upload, Visitor};

/// Runs everything with a bucket that `proxy` fetches from, and looks for the bucket in all that a visitor sees.
pub async fn run_masked(program: &str, proxy: &str) {
    let arguments = ["--strategy", "presign", "--mask", "--proxy", proxy, "--proxy-listen", "127.0.0.1:0"];
    masked::check(program, &arguments).await;
    run(program, &arguments).await;
}

/// Runs everything against one demo application, given the path of its program and arguments that choose the strategy.
pub async fn run(program: &str, arguments: &[&str]) {
    let demo = Demo::start(program, arguments).await;
    accounts::check(&demo).await;
    uploads::check(&demo).await;
    downloads::check(&demo).await;
    refusals::check(&demo).await;
    links::check(&demo).await;
    demo.stop().await;
    limits::check(program).await;
    program::check_starting(program).await;
}
