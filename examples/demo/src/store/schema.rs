//! The tables, and how those of an earlier version become them.

use rusqlite::Connection;

const SCHEMA: &str = "
PRAGMA journal_mode = WAL;
PRAGMA synchronous = NORMAL;
PRAGMA foreign_keys = ON;
CREATE TABLE IF NOT EXISTS users (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    -- NULL: may not sign in.
    password TEXT
) STRICT;
CREATE TABLE IF NOT EXISTS sessions (
    id TEXT PRIMARY KEY,
    user INTEGER NOT NULL REFERENCES users ON DELETE CASCADE,
    expires INTEGER NOT NULL
) STRICT;
-- One row.
CREATE TABLE IF NOT EXISTS cookie (
    id TEXT NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS files (
    id TEXT PRIMARY KEY,
    owner INTEGER NOT NULL REFERENCES users,
    key TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    content_type TEXT NOT NULL,
    size INTEGER NOT NULL,
    -- Milliseconds since 1970.
    created INTEGER NOT NULL,
    -- Whether all of it is UTF-8.
    utf8 INTEGER NOT NULL DEFAULT 0,
    -- Whether it came with the demo.
    sample INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE TABLE IF NOT EXISTS shares (
    file TEXT NOT NULL REFERENCES files ON DELETE CASCADE,
    user INTEGER NOT NULL REFERENCES users,
    -- The file's.
    created INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (user, file)
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS shares_by_file ON shares (file);
CREATE TABLE IF NOT EXISTS links (
    id BLOB PRIMARY KEY,
    record TEXT NOT NULL,
    -- NULL: as often as one likes.
    uses_left INTEGER,
    -- Seconds since 1970, here and in leases.
    expires INTEGER NOT NULL,
    -- The latest end of a lease, and the expiry where no lease ends later.
    good_until INTEGER NOT NULL DEFAULT 0,
    leased_until INTEGER NOT NULL DEFAULT 0,
    issuer TEXT NOT NULL DEFAULT ''
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS links_by_record ON links (record);
CREATE TABLE IF NOT EXISTS leases (
    id BLOB PRIMARY KEY,
    link BLOB NOT NULL REFERENCES links ON DELETE CASCADE,
    -- new (no request has come with it), held, committed or released
    state TEXT NOT NULL,
    ends INTEGER NOT NULL,
    -- When its use comes back or it ends.
    due INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;
";

/// Columns that earlier versions did not have, and what fills them.
const ADDED: [(&str, &str, &str); 7] = [
    ("files", "utf8 INTEGER NOT NULL DEFAULT 0", ""),
    ("files", "sample INTEGER NOT NULL DEFAULT 0", ""),
    (
        "shares",
        "created INTEGER NOT NULL DEFAULT 0",
        "UPDATE shares SET created = (SELECT created FROM files WHERE id = shares.file)",
    ),
    ("leases", "due INTEGER NOT NULL DEFAULT 0", "UPDATE leases SET due = ends"),
    (
        "links",
        "leased_until INTEGER NOT NULL DEFAULT 0",
        "UPDATE links SET leased_until = coalesce((SELECT max(ends) FROM leases WHERE link = links.id), 0)",
    ),
    (
        "links",
        "good_until INTEGER NOT NULL DEFAULT 0",
        "UPDATE links SET good_until = max(expires, leased_until)",
    ),
    ("links", "issuer TEXT NOT NULL DEFAULT ''", ""),
];

/// A page of a list is one walk along an index, and so is the sum of a user's files. A step of the links walks along what has
/// ended, and along nothing else.
const INDEXES: &str = "
DROP INDEX IF EXISTS leases_by_link;
CREATE INDEX IF NOT EXISTS leases_by_due ON leases (link, due);
CREATE INDEX IF NOT EXISTS leases_released ON leases (link, ends) WHERE state = 'released';
CREATE INDEX IF NOT EXISTS links_by_end ON links (good_until);
DROP INDEX IF EXISTS links_by_issuer;
CREATE INDEX IF NOT EXISTS links_by_issuer_and_end ON links (issuer, good_until);
DROP INDEX IF EXISTS files_by_owner;
CREATE INDEX IF NOT EXISTS files_by_age ON files (owner, created);
CREATE INDEX IF NOT EXISTS files_by_size ON files (owner, sample, size);
CREATE INDEX IF NOT EXISTS shares_by_age ON shares (user, created, file);
";

/// Makes what is missing.
pub(super) fn open(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute_batch(SCHEMA)?;
    // Another process may open the database now.
    connection.execute_batch("BEGIN IMMEDIATE")?;
    for (table, column, fill) in ADDED {
        let name = column.split(' ').next().unwrap_or_default();
        let sql = "SELECT EXISTS (SELECT 1 FROM pragma_table_info(?) WHERE name = ?)";
        if !connection.query_row(sql, [table, name], |row| row.get::<_, bool>(0))? {
            let sql = format!("ALTER TABLE {table} ADD COLUMN {column}; {fill}");
            connection.execute_batch(&sql)?;
        }
    }
    connection.execute_batch(INDEXES)?;
    connection.execute_batch("COMMIT")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_of_an_earlier_version_is_brought_up() {
        let connection = Connection::open_in_memory().expect("a database");
        let old = "
            CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, password TEXT) STRICT;
            CREATE TABLE files (id TEXT PRIMARY KEY, owner INTEGER NOT NULL REFERENCES users, key TEXT NOT NULL UNIQUE,
                name TEXT NOT NULL, content_type TEXT NOT NULL, size INTEGER NOT NULL, created INTEGER NOT NULL) STRICT;
            CREATE INDEX files_by_owner ON files (owner);
            CREATE TABLE shares (file TEXT NOT NULL REFERENCES files ON DELETE CASCADE,
                user INTEGER NOT NULL REFERENCES users, PRIMARY KEY (user, file)) STRICT, WITHOUT ROWID;
            CREATE TABLE links (id BLOB PRIMARY KEY, record TEXT NOT NULL, uses_left INTEGER, expires INTEGER NOT NULL)
                STRICT, WITHOUT ROWID;
            CREATE TABLE leases (id BLOB PRIMARY KEY, link BLOB NOT NULL REFERENCES links ON DELETE CASCADE,
                state TEXT NOT NULL, ends INTEGER NOT NULL) STRICT, WITHOUT ROWID;
            CREATE INDEX leases_by_link ON leases (link);
            INSERT INTO links VALUES (x'01', 'f', 0, 500), (x'02', 'f', NULL, 500);
            INSERT INTO leases VALUES (x'03', x'01', 'held', 900);
            INSERT INTO users VALUES (1, 'alice', NULL), (2, 'bob', NULL);
            INSERT INTO files VALUES ('f', 1, 'k', 'a.txt', 'text/plain; charset=utf-8', 3, 77);
            INSERT INTO shares VALUES ('f', 2);";
        connection.execute_batch(old).expect("made");
        for _twice in 0..2 {
            open(&connection).expect("opened");
        }
        let created: i64 =
            connection.query_row("SELECT created FROM shares", [], |row| row.get(0)).expect("a share");
        assert_eq!(created, 77);
        let flags = connection
            .query_row("SELECT utf8, sample FROM files", [], |row| Ok((row.get(0)?, row.get(1)?)))
            .expect("a file");
        assert_eq!(flags, (false, false));
        let mut links =
            connection.prepare("SELECT leased_until, good_until FROM links ORDER BY id").expect("SQL");
        let links: Vec<(i64, i64)> = links
            .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
            .and_then(Iterator::collect)
            .expect("links");
        assert_eq!(links, [(900, 900), (0, 500)]);
        let due: i64 = connection.query_row("SELECT due FROM leases", [], |row| row.get(0)).expect("a lease");
        assert_eq!(due, 900, "it keeps its use until it ends");
    }
}
