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

    /// Whose session this is, if it lasts.
    pub(crate) async fn session_user(&self, session: &str) -> Result<Option<User>, StoreError> {
        let session = session.to_owned();
        self.run(move |connection| {
            connection
                .prepare_cached(
                    "SELECT users.id, users.name FROM sessions JOIN users ON users.id = sessions.user
                     WHERE sessions.id = ? AND sessions.expires > ?",
                )?
                .query_row(params![session, now_millis()], |row| {
                    Ok(User { id: UserId(row.get(0)?), name: row.get(1)? })
                })
                .optional()
        })
        .await
    }

    /// Ends a session.
    pub(crate) async fn end_session(&self, session: &str) -> Result<(), StoreError> {
        let session = session.to_owned();
        self.run(move |connection| connection.execute("DELETE FROM sessions WHERE id = ?", [session]))
            .await?;
        Ok(())
    }
}
