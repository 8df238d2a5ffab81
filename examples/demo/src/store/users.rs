//! Who may sign in.

use rusqlite::{Connection, OptionalExtension as _, params};

use super::{Store, StoreError};
use crate::options::Credentials;
use crate::passwords;

/// The number of a user in the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct UserId(pub(super) i64);

impl std::fmt::Display for UserId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// Somebody who is signed in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// The number in the database.
    pub id: UserId,
    /// The name to sign in with.
    pub name: String,
}

impl Store {
    /// Lets exactly these users sign in, and returns them in this order. Whoever is not named any more, or has
    /// another password now, is signed out.
    pub(crate) async fn admit(&self, users: Vec<Credentials>) -> Result<Vec<User>, StoreError> {
        self.run(move |connection| {
            let transaction = connection.transaction()?;
            let names: Vec<&str> = users.iter().map(|user| user.name.as_str()).collect();
            lock_out_all_but(&transaction, &names)?;
            let admitted = users.iter().map(|user| admit(&transaction, user)).collect::<Result<_, _>>()?;
            transaction.commit()?;
            Ok(admitted)
        })
        .await
    }

    /// The user of that name and the hash of the password, if that user may sign in.
    pub(crate) async fn user_named(&self, name: &str) -> Result<Option<(User, String)>, StoreError> {
        let name = name.to_owned();
        self.run(move |connection| {
            connection
                .prepare_cached(
                    "SELECT id, name, password FROM users WHERE name = ? AND password IS NOT NULL",
                )?
                .query_row([name], |row| {
                    Ok((User { id: UserId(row.get(0)?), name: row.get(1)? }, row.get(2)?))
                })
                .optional()
        })
        .await
    }
}

impl Store {
    /// The user of that number, as text, if that user may sign in.
    pub(crate) async fn user_of(&self, id: &str) -> Result<Option<User>, StoreError> {
        let Ok(id) = id.parse::<i64>() else { return Ok(None) };
        self.run(move |connection| {
            connection
                .prepare_cached("SELECT id, name FROM users WHERE id = ? AND password IS NOT NULL")?
                .query_row([id], |row| Ok(User { id: UserId(row.get(0)?), name: row.get(1)? }))
                .optional()
        })
        .await
    }
}

fn lock_out_all_but(connection: &Connection, names: &[&str]) -> rusqlite::Result<()> {
    let mut all = connection.prepare("SELECT id, name FROM users")?;
    let all = all.query_map([], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?)))?;
    for user in all {
        let (id, name) = user?;
        if !names.contains(&name.as_str()) {
            connection.execute("UPDATE users SET password = NULL WHERE id = ?", [id])?;
            connection.execute("DELETE FROM sessions WHERE user = ?", [id])?;
        }
    }
    Ok(())
}

fn admit(connection: &Connection, user: &Credentials) -> rusqlite::Result<User> {
    let known: Option<(i64, Option<String>)> = connection
        .query_row("SELECT id, password FROM users WHERE name = ?", [&user.name], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
        .optional()?;
    if let Some((id, Some(hash))) = &known
        && passwords::is_password(&user.password, hash)
    {
        return Ok(User { id: UserId(*id), name: user.name.clone() });
    }
    let hash = passwords::hash(&user.password)
        .map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.to_string().into()))?;
    let id = connection.query_row(
        "INSERT INTO users (name, password) VALUES (?, ?)
         ON CONFLICT (name) DO UPDATE SET password = excluded.password RETURNING id",
        params![user.name, hash],
        |row| row.get(0),
    )?;
    connection.execute("DELETE FROM sessions WHERE user = ?", [id])?;
    Ok(User { id: UserId(id), name: user.name.clone() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn credentials(users: &[(&str, &str)]) -> Vec<Credentials> {
        users
            .iter()
            .map(|(name, password)| Credentials { name: (*name).into(), password: (*password).into() })
            .collect()
    }

    #[tokio::test]
    async fn only_users_of_this_run_may_sign_in() {
        let (store, alice, bob) = Store::for_test().await;
        let session = |user: &User| store.begin_session(user.id);
        let (of_alice, of_bob) = (session(&alice).await.expect("begun"), session(&bob).await.expect("begun"));

        // The same users again: nobody is signed out.
        let again = store.admit(credentials(&[("alice", "alice"), ("bob", "bob")])).await.expect("admitted");
        assert_eq!(again, [alice.clone(), bob.clone()]);
        let asked = vec!["ended".to_owned(), of_alice.clone()];
        assert_eq!(store.session_user(asked).await.expect("asked"), Some(alice.clone()));

        // Another password for alice, no bob: both sessions end, and alice stays the same user.
        let now = store.admit(credentials(&[("carol", "x"), ("alice", "new")])).await.expect("admitted");
        assert_eq!(now[1], alice);
        for session in [&of_alice, &of_bob] {
            assert_eq!(store.session_user(vec![session.clone()]).await.expect("asked"), None);
        }
        assert!(store.user_named("bob").await.expect("asked").is_none());
        assert!(store.user_named("Alice").await.expect("asked").is_none());
        let (_, hash) = store.user_named("alice").await.expect("asked").expect("alice");
        assert!(passwords::is_password("new", &hash) && !passwords::is_password("alice", &hash));
    }
}
