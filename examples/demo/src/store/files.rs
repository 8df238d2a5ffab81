//! The files: who owns which, and what is known about them.

use rusqlite::{OptionalExtension as _, Row, params};

use super::{Store, StoreError, UserId, now_millis};
use crate::ids;

/// The most files that one page lists.
const LISTED: i64 = 1000;

/// A file that was stored and is not in the database yet.
#[derive(Debug)]
pub(crate) struct NewFile {
    pub(crate) key: String,
    pub(crate) name: String,
    pub(crate) content_type: String,
    pub(crate) size: u64,
}

/// A file as the database knows it.
#[derive(Debug, Clone)]
pub(crate) struct FileRow {
    pub(crate) id: String,
    pub(crate) owner: UserId,
    pub(crate) key: String,
    pub(crate) name: String,
    pub(crate) content_type: String,
    pub(crate) size: u64,
}

/// A file in somebody's list.
#[derive(Debug)]
pub(crate) struct ListedFile {
    pub(crate) file: FileRow,
    pub(crate) owner_name: String,
    /// Who else may download it.
    pub(crate) shared_with: Vec<String>,
    /// Seconds since it was stored.
    pub(crate) age: u64,
    /// When it was stored, after RFC 3339.
    pub(crate) created: String,
}

impl FileRow {
    /// From the columns that [`COLUMNS`] names.
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            id: row.get(0)?,
            owner: UserId(row.get(1)?),
            key: row.get(2)?,
            name: row.get(3)?,
            content_type: row.get(4)?,
            size: row.get::<_, i64>(5)?.cast_unsigned(),
        })
    }
}

const COLUMNS: &str = "files.id, files.owner, files.key, files.name, files.content_type, files.size";

impl Store {
    /// Adds a file whose bytes are in place, and returns its id.
    pub(crate) async fn add_file(&self, owner: UserId, file: NewFile) -> Result<String, StoreError> {
        let id = ids::file_id();
        let kept = id.clone();
        self.run(move |connection| {
            connection.execute(
                "INSERT INTO files (id, owner, key, name, content_type, size, created)
                 VALUES (?, ?, ?, ?, ?, ?, ?)",
                params![
                    kept,
                    owner.0,
                    file.key,
                    file.name,
                    file.content_type,
                    file.size.cast_signed(),
                    now_millis()
                ],
            )
        })
        .await?;
        Ok(id)
    }

    /// The file of that id, whoever asks.
    pub(crate) async fn file(&self, id: &str) -> Result<Option<FileRow>, StoreError> {
        let id = id.to_owned();
        self.run(move |connection| {
            connection
                .prepare_cached(&format!("SELECT {COLUMNS} FROM files WHERE id = ?"))?
                .query_row([id], FileRow::read)
                .optional()
        })
        .await
    }

    /// What `user` owns or was given, newest first.
    pub(crate) async fn files_of(&self, user: UserId) -> Result<Vec<ListedFile>, StoreError> {
        self.run(move |connection| {
            let mut list = connection.prepare_cached(&format!(
                "SELECT {COLUMNS}, users.name, files.created,
                        strftime('%Y-%m-%dT%H:%M:%SZ', files.created / 1000, 'unixepoch'),
                        (SELECT group_concat(other.name, char(10) ORDER BY other.name)
                         FROM shares JOIN users other ON other.id = shares.user WHERE shares.file = files.id)
                 FROM files JOIN users ON users.id = files.owner
                 WHERE files.owner = ?1 OR files.id IN (SELECT file FROM shares WHERE user = ?1)
                 ORDER BY files.created DESC, files.rowid DESC LIMIT ?2"
            ))?;
            let now = now_millis();
            let files = list.query_map(params![user.0, LISTED], |row| {
                let shared_with: Option<String> = row.get(9)?;
                Ok(ListedFile {
                    file: FileRow::read(row)?,
                    owner_name: row.get(6)?,
                    age: (now - row.get::<_, i64>(7)?).max(0).cast_unsigned() / 1000,
                    created: row.get(8)?,
                    shared_with: shared_with
                        .iter()
                        .flat_map(|names| names.lines())
                        .map(str::to_owned)
                        .collect(),
                })
            })?;
            files.collect()
        })
        .await
    }

    /// Forgets a file of `owner`'s and returns where its bytes are; `None` if `owner` has no such file.
    pub(crate) async fn remove_file(&self, owner: UserId, id: &str) -> Result<Option<String>, StoreError> {
        let id = id.to_owned();
        self.run(move |connection| {
            connection
                .prepare_cached("DELETE FROM files WHERE id = ? AND owner = ? RETURNING key")?
                .query_row(params![id, owner.0], |row| row.get(0))
                .optional()
        })
        .await
    }

    /// Where the bytes of all files are.
    pub(crate) async fn keys(&self) -> Result<Vec<String>, StoreError> {
        self.run(|connection| {
            connection.prepare("SELECT key FROM files")?.query_map([], |row| row.get(0))?.collect()
        })
        .await
    }
}
