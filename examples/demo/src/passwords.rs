//! Passwords, kept as Argon2id hashes.

use std::sync::Arc;

use argon2::{Argon2, PasswordHash, PasswordHasher as _, PasswordVerifier as _};
use tokio::sync::Semaphore;
use tokio::task;

/// Hashes checked at the same time. Each takes a core and 19 MiB for a moment, whoever asks.
const AT_ONCE: usize = 2;

/// Checks passwords away from the threads that serve requests.
#[derive(Debug, Clone)]
pub(crate) struct Passwords {
    /// Checked in place of the hash of a user who does not exist, so that the time tells nothing.
    dummy: Arc<str>,
    places: Arc<Semaphore>,
}

impl Passwords {
    pub(crate) fn new() -> Result<Self, argon2::password_hash::Error> {
        Ok(Self { dummy: hash(&crate::ids::session_id())?.into(), places: Arc::new(Semaphore::new(AT_ONCE)) })
    }

    /// Whether `password` is the one behind `hash`; never without a hash.
    pub(crate) async fn verify(&self, password: String, hash: Option<String>) -> bool {
        let Ok(_place) = self.places.acquire().await else { return false };
        let dummy = Arc::clone(&self.dummy);
        let check = move || {
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
        assert!(passwords.verify("open sesame".into(), Some(kept.clone())).await);
        assert!(!passwords.verify("open barley".into(), Some(kept)).await);
        assert!(!passwords.verify("open sesame".into(), None).await);
        assert!(!passwords.verify("open sesame".into(), Some("no hash".into())).await);
    }
}
