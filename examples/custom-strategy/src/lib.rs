//! A delivery strategy of one's own: files in the blobs of a SQLite database.
//!
//! Everything that is hard about downloads comes with the grant: [`ResponsePlan::select`] answers conditions and ranges
//! and says which bytes to send, [`Body::parts`] puts them together and fails loudly if one is missing. What is left is
//! to find the file and to read it, piece by piece, without blocking the runtime.
//!
//! The tests run the conformance kit, which tries everything else.
//!
//! [`ResponsePlan::select`]: secure_download_core::ResponsePlan::select

use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use async_trait::async_trait;
use bytes::Bytes;
use futures::Stream;
use http::Response;
use rusqlite::{Connection, MAIN_DB, OptionalExtension as _, params};
use secure_download_core::{
    Body, BoxError, DeliveryError, DeliveryStrategy, ETag, FileKey, Grant, Representation, RequestHead,
    Selection,
};

const NAME: &str = "sqlite";

/// How much is read at once. A slow reader holds one piece.
const PIECE: u64 = 64 * 1024;

/// Files in a table `files (key TEXT, revision INTEGER, content BLOB)`.
#[derive(Clone)]
pub struct SqliteBlobs {
    database: Arc<Mutex<Connection>>,
}

impl SqliteBlobs {
    /// Takes a database, and makes the table if there is none.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn new(database: Connection) -> rusqlite::Result<Self> {
        database.execute_batch(
            "CREATE TABLE IF NOT EXISTS files (
                 key TEXT NOT NULL UNIQUE, revision INTEGER NOT NULL, content BLOB NOT NULL
             )",
        )?;
        Ok(Self { database: Arc::new(Mutex::new(database)) })
    }

    /// Stores a file, or a new revision of one.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn put(&self, key: &FileKey, content: &[u8]) -> rusqlite::Result<()> {
        let database = self.database.lock().unwrap_or_else(PoisonError::into_inner);
        let sql = "INSERT INTO files (key, revision, content) VALUES (?1, 1, ?2)
                   ON CONFLICT (key) DO UPDATE SET revision = revision + 1, content = excluded.content";
        database.execute(sql, params![key.as_str(), content])?;
        Ok(())
    }

    /// Throws all files away, table and all: what then happens is what happens when a database is broken.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn drop_table(&self) -> rusqlite::Result<()> {
        self.database.lock().unwrap_or_else(PoisonError::into_inner).execute_batch("DROP TABLE files")
    }

    /// Runs `work` where it may block.
    async fn on_pool<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, BoxError> + Send + 'static,
    ) -> Result<T, BoxError> {
        let database = Arc::clone(&self.database);
        let work = move || work(&database.lock().unwrap_or_else(PoisonError::into_inner));
        tokio::task::spawn_blocking(work).await?
    }

    /// The file as it is now. The key is bound, never spliced into the statement.
    async fn find(&self, key: FileKey) -> Result<Option<Found>, BoxError> {
        self.on_pool(move |database| {
            let sql = "SELECT rowid, revision, length(content) FROM files WHERE key = ?1";
            let found = database.query_row(sql, [key.as_str()], |row| {
                let length: u32 = row.get(2)?;
                Ok(Found { row: row.get(0)?, revision: row.get(1)?, length: length.into() })
            });
            Ok(found.optional()?)
        })
        .await
    }

    /// Bytes of one revision of a file; any other is an error, so that nobody gets a mixture.
    async fn read(&self, file: Found, at: u64, length: u64) -> Result<Bytes, BoxError> {
        self.on_pool(move |database| {
            let sql = "SELECT revision FROM files WHERE rowid = ?1";
            let revision: i64 = database.query_row(sql, [file.row], |row| row.get(0))?;
            if revision != file.revision {
                return Err("the file was replaced while it was being sent".into());
            }
            let blob = database.blob_open(MAIN_DB, "files", "content", file.row, true)?;
            let mut bytes = vec![0; usize::try_from(length)?];
            blob.read_at_exact(&mut bytes, usize::try_from(at)?)?;
            Ok(bytes.into())
        })
        .await
    }

    /// A piece of a file as a stream. Nothing is read before somebody asks for it.
    fn stream(self, file: Found, range: Range<u64>) -> impl Stream<Item = Result<Bytes, BoxError>> + Send {
        futures::stream::unfold((self, range.start), move |(blobs, at)| async move {
            let length = PIECE.min(range.end - at);
            if length == 0 {
                return None;
            }
            let bytes = blobs.read(file, at, length).await;
            Some((bytes, (blobs, at + length)))
        })
    }
}

/// One revision of a file.
#[derive(Debug, Clone, Copy)]
struct Found {
    row: i64,
    revision: i64,
    length: u64,
}

#[async_trait]
impl DeliveryStrategy for SqliteBlobs {
    fn name(&self) -> &'static str {
        NAME
    }

    async fn deliver(&self, grant: Grant, head: &RequestHead) -> Result<Response<Body>, DeliveryError> {
        // What is asked for and cannot be kept is declined: another strategy may serve it, or the gate answers 502.
        if grant.download().volume_name().is_some() || grant.download().version_id().is_some() {
            return Err(grant.decline(NAME, "one table, and no versions"));
        }
        if grant.terms().rate_limit().is_some() {
            return Err(grant.decline(NAME, "no rate can be kept"));
        }
        let found = self.find(grant.download().key().clone()).await;
        // The client sees 503 and nothing of the error; the observer sees all of it.
        let found = found.map_err(|source| DeliveryError::Unavailable { retry_after: None, source })?;
        let file = found.ok_or_else(|| DeliveryError::NotFound("no such row".into()))?;
        let representation = Representation {
            length: file.length,
            // Strong, for a revision never changes.
            etag: ETag::strong(format!("{:x}-{:x}", file.row, file.revision)),
            last_modified: None,
        };
        match grant.plan().select(head, &representation, SystemTime::now()) {
            Selection::Answered(response) => Ok(response),
            Selection::Send(sending) => {
                let blobs = self.clone();
                let body = Body::parts(sending.parts().clone(), move |range| {
                    Box::pin(blobs.clone().stream(file, range))
                });
                Ok(sending.with_body(body))
            }
        }
    }
}

impl std::fmt::Debug for SqliteBlobs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SqliteBlobs")
    }
}
