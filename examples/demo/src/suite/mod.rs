//! The black-box tests that every demo application passes, with every strategy: the program is started as a person
//! starts it and driven over its socket. What is checked is the contract, so nothing here knows the code.
#![expect(clippy::missing_panics_doc, reason = "a test panics where it fails")]

mod accounts;
mod addresses;
mod cookies;
mod downloads;
mod ends;
mod floods;
mod forms;
mod kinds;
mod limits;
mod links;
mod lists;
mod masked;
mod names;
mod next;
mod other_sites;
mod presign;
mod privacy;
mod program;
mod public_url;
mod refusals;
mod shared_links;
mod uploads;
mod visitor;

pub use self::presign::{run_presigned, run_presigned_at};
pub use self::program::Demo;
pub use self::shared_links::run_shared_links;
pub use self::visitor::{Upload, Visitor};

/// Runs everything with the embedded bucket, which `proxy` fetches from.
pub async fn run_masked(program: &str, proxy: &str) {
    run_masked_at(program, proxy, Bucket::default()).await;
    limits::check(program).await;
}

/// A bucket that is not the demo's own: the arguments that name it, and the variables that hold its credentials.
#[derive(Debug, Clone, Copy, Default)]
pub struct Bucket<'a> {
    /// Such as `--s3-bucket`, `private`.
    pub arguments: &'a [&'a str],
    /// Such as `AWS_ACCESS_KEY_ID`.
    pub environment: &'a [(&'a str, &'a str)],
}

/// Runs everything with a bucket that `proxy` fetches from, and looks for the bucket in all that a visitor sees.
pub async fn run_masked_at(program: &str, proxy: &str, bucket: Bucket<'_>) {
    let own = ["--strategy", "presign", "--mask", "--proxy", proxy, "--proxy-listen", "127.0.0.1:0"];
    let demo = Demo::start_with(program, &[&own, bucket.arguments].concat(), bucket.environment).await;
    masked::check(&demo).await;
    run_against(&demo).await;
    demo.stop().await;
}

/// Runs everything against one demo application, given the path of its program and arguments that choose the strategy.
pub async fn run(program: &str, arguments: &[&str]) {
    let demo = Demo::start(program, arguments).await;
    run_against(&demo).await;
    demo.stop().await;
    limits::check(program).await;
    ends::check(program).await;
    forms::check_limits(program).await;
    privacy::check(program, arguments).await;
    program::check_starting(program).await;
}

/// Runs what is about signing in and about where the site lives, which no strategy changes.
pub async fn run_accounts(program: &str) {
    addresses::check(program).await;
    public_url::check(program).await;
    floods::check(program).await;
}

async fn run_against(demo: &Demo) {
    accounts::check(demo).await;
    uploads::check(demo).await;
    downloads::check(demo).await;
    refusals::check(demo).await;
    other_sites::check(demo).await;
    links::check(demo).await;
    cookies::check(demo).await;
    next::check(demo).await;
    names::check(demo).await;
    forms::check(demo).await;
    kinds::check(demo).await;
    lists::check(demo).await;
}
