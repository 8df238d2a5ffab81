//! Passwords, kept as Argon2id hashes.

use std::net::IpAddr;
use std::sync::Arc;

use argon2::{Argon2, PasswordHash, PasswordHasher as _, PasswordVerifier as _};
use tokio::task;

use crate::turns::{Attempt, Turn, Turns};

/// Hashes checked at the same time. Each takes a core and 19 MiB for a moment, even for clients that do not wait for it.
const AT_ONCE: usize = 2;

/// Checks passwords away from the threads that serve requests.
#[derive(Debug, Clone)]
pub(crate) struct Passwords {
    /// Checked in place of the hash of a user who does not exist, so that the time tells nothing.
    dummy: Arc<str>,
    turns: Turns,
}

impl Passwords {
    pub(crate) fn new() -> Result<Self, argon2::password_hash::Error> {
        Ok(Self { dummy: hash(&crate::ids::session_id())?.into(), turns: Turns::new(AT_ONCE) })
    }

    /// Begins a sign-in, which waits for its turn to have the password checked.
    pub(crate) fn begin(&self, from: Option<IpAddr>, name: &str) -> Attempt {
        self.turns.begin(from, name)
    }

    /// Whether `password` is the one behind `hash`; never without a hash. The turn lasts as long as the work, which goes on if
    /// the client does not wait for it.
    pub(crate) async fn verify(&self, turn: Turn, password: String, hash: Option<String>) -> bool {
        let dummy = Arc::clone(&self.dummy);
        let check = move || {
            let _turn = turn;
            let right = is_password(&password, hash.as_deref().unwrap_or(&dummy));
            right && hash.is_some()
        };
        task::spawn_blocking(check).await.unwrap_or(false)
    }
}

/// A hash to keep, with a salt of its own.
pub(crate) fn hash(password: &str) -> Result<String, argon2::password_hash::Error> {
    Ok(Argon2::default().hash_password(password.as_bytes())?.to_string())
}

/// Whether `password` is the one behind `hash`.
pub(crate) fn is_password(password: &str, hash: &str) -> bool {
    PasswordHash::new(hash)
        .is_ok_and(|hash| Argon2::default().verify_password(password.as_bytes(), &hash).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_the_right_password_of_a_user_who_exists_is_accepted() {
        let passwords = Passwords::new().expect("hash");
        let kept = hash("open sesame").expect("hash");
        for (password, hash, right) in [
            ("open sesame", Some(kept.clone()), true),
            ("open barley", Some(kept), false),
            ("open sesame", None, false),
            ("open sesame", Some("no hash".to_owned()), false),
        ] {
            let turn = passwords.begin(None, "ali").turn().await.expect("a turn");
            assert_eq!(passwords.verify(turn, password.to_owned(), hash).await, right, "{password}");
        }
    }
}
