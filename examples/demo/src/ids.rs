//! Names that nobody can guess: 122 random bits each (UUID version 4).

use uuid::Uuid;

/// The id of a file, as it stands in URLs.
pub(crate) fn file_id() -> String {
    Uuid::new_v4().to_string()
}

/// Where a file lies in storage. It tells nothing about the file, not even its id.
pub(crate) fn storage_key() -> String {
    Uuid::new_v4().simple().to_string()
}

/// Tells the cookies of one demo from those of another: 48 random bits are enough for that.
pub(crate) fn cookie_id() -> String {
    let mut id = Uuid::new_v4().simple().to_string();
    id.truncate(12);
    id
}

/// Names a session.
pub(crate) fn session_id() -> String {
    Uuid::new_v4().simple().to_string()
}
