//! [`DoctorToken`]: opens the doctor once, for a short while.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use crate::{ProxySecret, ProxySecretError};

/// How long one examination may take.
const SESSION: Duration = Duration::from_secs(120);

/// The shortest name of a session, in bytes.
const MIN_SESSION: usize = 32;

/// A secret that opens the doctor to one examination.
///
/// The first request that shows it names a session and begins it; the token is worth nothing from then on. The session
/// ends after two minutes, and an unused token when its time has come.
///
/// ```
/// use secure_download_accel_redirect::doctor::DoctorToken;
/// use std::time::{Duration, SystemTime};
///
/// # let from_environment = "0123456789abcdef".repeat(4);
/// let token = DoctorToken::new(from_environment, SystemTime::now() + Duration::from_secs(600))?;
/// # let _ = token;
/// # Ok::<(), secure_download_accel_redirect::ProxySecretError>(())
/// ```
#[derive(Debug, Clone)]
pub struct DoctorToken {
    secret: ProxySecret,
    expires_at: SystemTime,
}

impl DoctorToken {
    /// A token of at least 32 bytes, of the same characters as a [`ProxySecret`], worthless from `expires_at` on. An
    /// application may take it from its environment, or make one when asked to and print it.
    ///
    /// # Errors
    /// As [`ProxySecret::new`].
    pub fn new(token: impl Into<String>, expires_at: SystemTime) -> Result<Self, ProxySecretError> {
        Ok(Self { secret: ProxySecret::new(token)?, expires_at })
    }
}

/// Which session is open, if any.
pub(super) struct Lock {
    state: Mutex<State>,
}

enum State {
    Unused(DoctorToken),
    Open { session: Zeroizing<Vec<u8>>, until: SystemTime },
}

impl Lock {
    pub(super) fn new(token: DoctorToken) -> Self {
        Self { state: Mutex::new(State::Unused(token)) }
    }

    /// Spends the token on a session.
    pub(super) fn open(&self, token: &[u8], session: &[u8]) -> bool {
        let now = SystemTime::now();
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let State::Unused(expected) = &*state else { return false };
        let right = expected.secret.equals(token) && now < expected.expires_at;
        if !right || session.len() < MIN_SESSION {
            return false;
        }
        *state = State::Open { session: Zeroizing::new(session.to_vec()), until: now + SESSION };
        true
    }

    /// Whether this session is open.
    pub(super) fn admits(&self, asked: &[u8]) -> bool {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let State::Open { session, until } = &*state else { return false };
        bool::from(session.ct_eq(asked)) && SystemTime::now() < *until
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &[u8; 32] = b"0123456789abcdef0123456789abcdef";
    const SESSION: &[u8; 32] = b"ffffffffffffffffffffffffffffffff";

    fn lock(lives: Duration) -> Lock {
        let token = String::from_utf8(TOKEN.to_vec()).expect("ASCII");
        Lock::new(DoctorToken::new(token, SystemTime::now() + lives).expect("a token"))
    }

    #[test]
    fn a_token_opens_one_session_once() {
        let locked = lock(Duration::from_secs(60));
        assert!(!locked.admits(SESSION), "nothing is open");
        assert!(!locked.open(SESSION, SESSION), "another token");
        assert!(!locked.open(TOKEN, b"short"), "a session that can be guessed");
        assert!(locked.open(TOKEN, SESSION));
        assert!(locked.admits(SESSION) && !locked.admits(TOKEN) && !locked.admits(b""));
        assert!(!locked.open(TOKEN, TOKEN), "spent");
        assert!(locked.admits(SESSION), "still open");
        assert!(!lock(Duration::ZERO).open(TOKEN, SESSION), "expired");
    }
}
