//! What the demo remembers: users, sessions, files and shares, in one database file.

mod files;
mod links;
mod schema;
mod sessions;
mod shares;
mod users;

use std::fs::OpenOptions;
use std::path::Path;
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rusqlite::{Connection, TransactionBehavior};
use tokio::sync::{mpsc, oneshot};

pub(crate) use self::files::{AddError, FileRow, ListedFile, NewFile};
pub(crate) use self::links::SqliteLinkStore;
pub use self::users::{User, UserId};
use crate::log_failure;

/// Questions that may wait for the database's thread; more make their askers wait.
const QUEUE: usize = 1024;

type Job = Box<dyn FnOnce(&mut Connection) + Send>;

/// A handle on the database. It blocks, so one thread of its own holds the connection and answers in turn; the
/// threads that serve requests only wait for the answer.
#[derive(Debug, Clone)]
pub(crate) struct Store {
    jobs: mpsc::Sender<Job>,
}

impl Store {
    /// Opens or makes the database. Blocks, for start-up.
    pub(crate) fn open(path: &Path) -> Result<Self, StoreError> {
        // Made here and not by SQLite, so that only this user can read it; SQLite's side files take after it.
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(false);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        options.open(path)?;
        let mut connection = Connection::open(path)?;
        connection.busy_timeout(Duration::from_secs(5))?;
        schema::open(&connection)?;
        // Two processes may share one database: take the write lock at once rather than fail half-way.
        connection.set_transaction_behavior(TransactionBehavior::Immediate);
        let (jobs, mut queue) = mpsc::channel::<Job>(QUEUE);
        thread::Builder::new().name("database".to_owned()).spawn(move || {
            while let Some(job) = queue.blocking_recv() {
                job(&mut connection);
            }
        })?;
        Ok(Self { jobs })
    }

    /// Whether the database answers.
    pub(crate) async fn answers(&self) -> Result<(), StoreError> {
        self.run(|connection| connection.query_row("SELECT 1", [], |_| Ok(()))).await
    }

    /// Runs `job` on the database's thread.
    async fn run<T, F>(&self, job: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&mut Connection) -> rusqlite::Result<T> + Send + 'static,
    {
        let (answer, answered) = oneshot::channel();
        let job = Box::new(move |connection: &mut Connection| {
            // Nobody waits any more if the request was given up.
            let _ = answer.send(job(connection));
        });
        self.jobs.send(job).await.map_err(|_| StoreError::Closed)?;
        let answer = answered.await.map_err(|_| StoreError::Closed)?;
        answer.map_err(|error| {
            log_failure("the database failed", &error);
            error.into()
        })
    }
}

/// Why the database did not answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum StoreError {
    /// The database refused.
    #[error("the database failed: {0}")]
    Sqlite(#[from] rusqlite::Error),
    /// The file or the thread could not be made.
    #[error("the database cannot be opened: {0}")]
    Open(#[from] std::io::Error),
    /// The database's thread ended.
    #[error("the database is closed")]
    Closed,
}

/// Milliseconds since 1970.
fn now_millis() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(now.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
impl Store {
    /// A database that ends with the test, with the users alice and bob.
    pub(crate) async fn for_test() -> (Self, User, User) {
        let path = std::env::temp_dir().join(format!("demo-{}.db", crate::ids::session_id()));
        let store = Self::open(&path).expect("a database");
        std::fs::remove_file(&path).expect("to remove it");
        let users = ["alice", "bob"]
            .map(|name| crate::Credentials { name: name.to_owned(), password: name.to_owned() });
        let mut made = store.admit(users.to_vec()).await.expect("users").into_iter();
        let mut next = || made.next().expect("two users");
        (store, next(), next())
    }
}
