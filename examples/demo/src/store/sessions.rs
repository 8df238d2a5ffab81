//! Who is signed in. Kept here and not in the cookie, so that signing out ends it for every copy of the cookie.

use std::time::Duration;

use rusqlite::{OptionalExtension as _, params};

use super::{Store, StoreError, User, UserId, now_millis};
use crate::ids;

/// How long a session lasts.
const LIFE: Duration = Duration::from_secs(12 * 60 * 60);

impl Store {
    /// Starts a session and returns its id.
    pub(crate) async fn begin_session(&self, user: UserId) -> Result<String, StoreError> {
        let id = ids::session_id();
        let kept = id.clone();
        self.run(move |connection| {
            let now = now_millis();
            let expires = now.saturating_add(LIFE.as_millis() as i64);
            connection.execute("DELETE FROM sessions WHERE expires <= ?", [now])?;
            connection.execute(
                "INSERT INTO sessions (id, user, expires) VALUES (?, ?, ?)",
                params![kept, user.0, expires],
            )
        })
        .await?;
        Ok(id)
    }

    /// Whose the first of these sessions is that lasts.
    pub(crate) async fn session_user(&self, sessions: Vec<String>) -> Result<Option<User>, StoreError> {
        self.run(move |connection| {
            let mut user = connection.prepare_cached(
                "SELECT users.id, users.name FROM sessions JOIN users ON users.id = sessions.user
                 WHERE sessions.id = ? AND sessions.expires > ?",
            )?;
            for session in sessions {
                let found = user.query_row(params![session, now_millis()], |row| {
                    Ok(User { id: UserId(row.get(0)?), name: row.get(1)? })
                });
                if let Some(user) = found.optional()? {
                    return Ok(Some(user));
                }
            }
            Ok(None)
        })
        .await
    }

    /// Ends these sessions.
    pub(crate) async fn end_sessions(&self, sessions: Vec<String>) -> Result<(), StoreError> {
        self.run(move |connection| {
            let mut end = connection.prepare_cached("DELETE FROM sessions WHERE id = ?")?;
            sessions.iter().try_for_each(|session| end.execute([session]).map(|_| ()))
        })
        .await
    }

    /// What tells this demo's cookies from those of others on the same host: made once, kept with the sessions.
    pub(crate) async fn cookie_id(&self) -> Result<String, StoreError> {
        let fresh = ids::cookie_id();
        self.run(move |connection| {
            let transaction = connection.transaction()?;
            transaction.execute(
                "INSERT INTO cookie (id) SELECT ? WHERE NOT EXISTS (SELECT 1 FROM cookie)",
                [fresh],
            )?;
            let id = transaction.query_row("SELECT id FROM cookie", [], |row| row.get(0))?;
            transaction.commit()?;
            Ok(id)
        })
        .await
    }
}
