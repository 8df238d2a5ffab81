//! The files: who owns which, and what is known about them.

use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::{Store, StoreError, UserId, now_millis};
use crate::ids;
use crate::upload::Kind;

/// The most files of a user's own that one page lists, and as many that others shared.
pub(crate) const PAGE: u32 = 50;

/// A file that was stored and is not in the database yet.
#[derive(Debug, Default)]
pub(crate) struct NewFile {
    pub(crate) key: String,
    pub(crate) name: String,
    pub(crate) kind: Kind,
    pub(crate) size: u64,
}

/// Why files were not added.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AddError {
    /// Their owner would store more than allowed.
    #[error("over the quota")]
    OverQuota,
    /// The database did not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
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
    /// Whether all of it is UTF-8.
    pub(crate) is_utf8: bool,
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
    /// The same, in milliseconds since 1970.
    moment: i64,
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
            is_utf8: row.get(6)?,
        })
    }
}

const COLUMNS: &str =
    "files.id, files.owner, files.key, files.name, files.content_type, files.size, files.utf8";

/// What a list shows beside [`COLUMNS`].
const LISTED: &str =
    "users.name, files.created, strftime('%Y-%m-%dT%H:%M:%SZ', files.created / 1000, 'unixepoch'),
    (SELECT group_concat(other.name, char(10) ORDER BY other.name)
     FROM shares JOIN users other ON other.id = shares.user WHERE shares.file = files.id)";

impl ListedFile {
    /// From [`COLUMNS`] and [`LISTED`].
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        let (moment, shared_with): (i64, Option<String>) = (row.get(8)?, row.get(10)?);
        Ok(Self {
            file: FileRow::read(row)?,
            owner_name: row.get(7)?,
            age: (now_millis() - moment).max(0).cast_unsigned() / 1000,
            created: row.get(9)?,
            moment,
            shared_with: shared_with.iter().flat_map(|names| names.lines()).map(str::to_owned).collect(),
        })
    }
}

impl Store {
    /// Adds files whose bytes are in place, all or none, and returns how many bytes their owner stores now.
    pub(crate) async fn add_files(
        &self,
        owner: UserId,
        files: Vec<NewFile>,
        quota: u64,
    ) -> Result<u64, AddError> {
        let stored = self.run(move |connection| {
            let transaction = connection.transaction()?;
            for file in files {
                add(&transaction, owner, &file, false)?;
            }
            let stored = stored(&transaction, owner)?;
            if stored > quota {
                return Ok(None);
            }
            transaction.commit()?;
            Ok(Some(stored))
        });
        stored.await?.ok_or(AddError::OverQuota)
    }

    /// Adds a file that comes with the demo, and counts for nobody.
    pub(crate) async fn add_sample(&self, owner: UserId, file: NewFile) -> Result<(), StoreError> {
        self.run(move |connection| add(connection, owner, &file, true)).await
    }

    /// How many bytes `owner` stores, samples aside.
    pub(crate) async fn stored(&self, owner: UserId) -> Result<u64, StoreError> {
        self.run(move |connection| stored(connection, owner)).await
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

    /// Page `page`, from 0, of what `user` owns and of what others shared, newest first, and whether there are further ones.
    /// Each kind has its own room, so that a list that others fill hides no file of one's own.
    pub(crate) async fn files_of(
        &self,
        user: UserId,
        page: u32,
    ) -> Result<(Vec<ListedFile>, bool), StoreError> {
        self.run(move |connection| {
            let own = "FROM files JOIN users ON users.id = files.owner
                       WHERE files.owner = ?1 ORDER BY files.created DESC, files.rowid DESC";
            let shared =
                "FROM shares JOIN files ON files.id = shares.file JOIN users ON users.id = files.owner
                          WHERE shares.user = ?1 ORDER BY shares.created DESC, shares.file DESC";
            let (mut files, mut goes_on) = (Vec::new(), false);
            for of in [own, shared] {
                let sql = format!("SELECT {COLUMNS}, {LISTED} {of} LIMIT ?2 OFFSET ?3");
                let mut list = connection.prepare_cached(&sql)?;
                let range = params![user.0, PAGE + 1, i64::from(page) * i64::from(PAGE)];
                let listed = list.query_map(range, ListedFile::read)?;
                let mut listed = listed.collect::<rusqlite::Result<Vec<_>>>()?;
                goes_on |= listed.len() > PAGE as usize;
                listed.truncate(PAGE as usize);
                files.append(&mut listed);
            }
            files.sort_by_key(|listed| std::cmp::Reverse(listed.moment));
            Ok((files, goes_on))
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

fn add(connection: &Connection, owner: UserId, file: &NewFile, is_sample: bool) -> rusqlite::Result<()> {
    let mut insert = connection.prepare_cached(
        "INSERT INTO files (id, owner, key, name, content_type, size, created, utf8, sample)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )?;
    let Kind { content_type, is_utf8 } = &file.kind;
    let size = file.size.cast_signed();
    let id = ids::file_id();
    insert.execute(params![
        id,
        owner.0,
        file.key,
        file.name,
        content_type,
        size,
        now_millis(),
        is_utf8,
        is_sample
    ])?;
    Ok(())
}

fn stored(connection: &Connection, owner: UserId) -> rusqlite::Result<u64> {
    connection
        .prepare_cached("SELECT coalesce(sum(size), 0) FROM files WHERE owner = ? AND sample = 0")?
        .query_row([owner.0], |row| row.get::<_, i64>(0))
        .map(i64::cast_unsigned)
}
