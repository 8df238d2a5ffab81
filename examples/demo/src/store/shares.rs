//! Who may download a file beside its owner.

use rusqlite::params;

use super::{Store, StoreError, UserId};

impl Store {
    /// Lets `user` download the file.
    pub(crate) async fn share(&self, file: &str, user: UserId) -> Result<(), StoreError> {
        let file = file.to_owned();
        self.run(move |connection| {
            // Shared already, or deleted meanwhile: either way there is nothing to add.
            connection.execute(
                "INSERT INTO shares (file, user) SELECT id, ?2 FROM files WHERE id = ?1 AND owner <> ?2
                 ON CONFLICT DO NOTHING",
                params![file, user.0],
            )
        })
        .await?;
        Ok(())
    }

    /// Whether the file was shared with `user`.
    pub(crate) async fn is_shared(&self, file: &str, user: UserId) -> Result<bool, StoreError> {
        let file = file.to_owned();
        self.run(move |connection| {
            connection
                .prepare_cached("SELECT EXISTS (SELECT 1 FROM shares WHERE user = ? AND file = ?)")?
                .query_row(params![user.0, file], |row| row.get(0))
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::super::NewFile;
    use super::*;

    #[tokio::test]
    async fn a_share_adds_one_reader_and_ends_with_the_file() {
        let (store, alice, bob) = Store::for_test().await;
        let file = |name: &str| NewFile {
            key: name.to_owned(),
            name: format!("{name}.txt"),
            content_type: "text/plain".to_owned(),
            size: u64::from(u32::MAX) + 1,
        };
        let first = store.add_file(alice.id, file("first")).await.expect("added");
        let second = store.add_file(alice.id, file("second")).await.expect("added");
        let names = async |user: UserId| -> Vec<String> {
            let files = store.files_of(user).await.expect("listed");
            files.into_iter().map(|listed| listed.file.name).collect()
        };
        assert_eq!(names(alice.id).await, ["second.txt", "first.txt"]);
        assert!(names(bob.id).await.is_empty());
        assert!(!store.is_shared(&first, bob.id).await.expect("asked"));

        for _twice in 0..2 {
            store.share(&first, bob.id).await.expect("shared");
        }
        store.share(&first, alice.id).await.expect("shared");
        assert!(store.is_shared(&first, bob.id).await.expect("asked"));
        assert!(!store.is_shared(&second, bob.id).await.expect("asked"));
        assert_eq!(names(bob.id).await, ["first.txt"]);
        assert_eq!(store.files_of(alice.id).await.expect("listed")[1].shared_with, ["bob"]);

        assert_eq!(store.remove_file(bob.id, &first).await.expect("asked"), None);
        assert_eq!(store.remove_file(alice.id, &first).await.expect("removed").as_deref(), Some("first"));
        assert!(store.file(&first).await.expect("asked").is_none());
        assert!(names(bob.id).await.is_empty());
        assert_eq!(store.keys().await.expect("listed"), ["second"]);
        store.share(&first, bob.id).await.expect("nothing to share");
    }
}
