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
                "INSERT INTO shares (file, user, created)
                 SELECT id, ?2, created FROM files WHERE id = ?1 AND owner <> ?2 ON CONFLICT DO NOTHING",
                params![file, user.0],
            )
        })
        .await?;
        Ok(())
    }

    /// Takes the file from a user of that name; whether there is such a user, who may be locked out by now.
    pub(crate) async fn unshare(&self, file: &str, with: &str) -> Result<bool, StoreError> {
        let (file, with) = (file.to_owned(), with.to_owned());
        self.run(move |connection| {
            connection.execute(
                "DELETE FROM shares WHERE file = ?1 AND user = (SELECT id FROM users WHERE name = ?2)",
                [&file, &with],
            )?;
            connection
                .prepare_cached("SELECT EXISTS (SELECT 1 FROM users WHERE name = ?)")?
                .query_row([with], |row| row.get(0))
        })
        .await
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
    use super::super::files::PAGE;
    use super::super::{AddError, NewFile, User};
    use super::*;

    fn file(name: &str, size: u64) -> NewFile {
        NewFile { key: name.to_owned(), name: format!("{name}.txt"), size, ..NewFile::default() }
    }

    async fn listed(store: &Store, user: &User, page: u32) -> Vec<(String, String)> {
        let (files, _) = store.files_of(user.id, page).await.expect("listed");
        files.into_iter().map(|listed| (listed.file.name, listed.file.id)).collect()
    }

    async fn names(store: &Store, user: &User) -> Vec<String> {
        listed(store, user, 0).await.into_iter().map(|(name, _)| name).collect()
    }

    #[tokio::test]
    async fn a_share_adds_one_reader_and_ends_with_the_file() {
        let (store, alice, bob) = Store::for_test().await;
        let large = u64::from(u32::MAX) + 1;
        for name in ["first", "second"] {
            store.add_files(alice.id, vec![file(name, large)], u64::MAX).await.expect("added");
        }
        let [(_, second), (_, first)] = &listed(&store, &alice, 0).await[..] else { panic!("two files") };
        assert_eq!(names(&store, &alice).await, ["second.txt", "first.txt"]);
        assert!(names(&store, &bob).await.is_empty());
        assert!(!store.is_shared(first, bob.id).await.expect("asked"));

        for _twice in 0..2 {
            store.share(first, bob.id).await.expect("shared");
        }
        store.share(first, alice.id).await.expect("shared");
        assert!(store.is_shared(first, bob.id).await.expect("asked"));
        assert!(!store.is_shared(second, bob.id).await.expect("asked"));
        assert_eq!(names(&store, &bob).await, ["first.txt"]);
        assert_eq!(store.files_of(alice.id, 0).await.expect("listed").0[1].shared_with, ["bob"]);

        assert!(!store.unshare(first, "nobody").await.expect("asked"));
        assert!(store.unshare(second, "bob").await.expect("asked"));
        assert!(store.is_shared(first, bob.id).await.expect("asked"));
        assert!(store.unshare(first, "bob").await.expect("taken back"));
        assert!(!store.is_shared(first, bob.id).await.expect("asked"));
        store.share(first, bob.id).await.expect("shared");

        assert_eq!(store.remove_file(bob.id, first).await.expect("asked"), None);
        assert_eq!(store.remove_file(alice.id, first).await.expect("removed").as_deref(), Some("first"));
        assert!(store.file(first).await.expect("asked").is_none());
        assert!(names(&store, &bob).await.is_empty());
        assert_eq!(store.keys().await.expect("listed"), ["second"]);
        store.share(first, bob.id).await.expect("nothing to share");
    }

    #[tokio::test]
    async fn files_are_added_within_the_quota_or_not_at_all() {
        let (store, alice, bob) = Store::for_test().await;
        store.add_sample(alice.id, file("sample", 1000)).await.expect("added");
        let both = |size| vec![file(&format!("a{size}"), size), file(&format!("b{size}"), 1)];
        assert_eq!(store.add_files(alice.id, both(9), 20).await.expect("added"), 10);
        let over = store.add_files(alice.id, both(10), 20).await;
        assert!(matches!(over, Err(AddError::OverQuota)));
        assert_eq!(names(&store, &alice).await.len(), 3);
        assert_eq!(store.stored(alice.id).await.expect("asked"), 10);
        assert_eq!(store.add_files(bob.id, both(19), 20).await.expect("added"), 20);
    }

    #[tokio::test]
    async fn what_others_share_hides_nothing() {
        let (store, alice, bob) = Store::for_test().await;
        store.add_files(alice.id, vec![file("own", 1)], u64::MAX).await.expect("added");
        let many = (0..2 * PAGE + 1).map(|number| file(&format!("of bob {number}"), 1)).collect();
        store.add_files(bob.id, many, u64::MAX).await.expect("added");
        let mut of_bob = Vec::new();
        for page in 0..3 {
            of_bob.extend(listed(&store, &bob, page).await);
        }
        assert_eq!(of_bob.len(), 2 * PAGE as usize + 1);
        for (_, id) in &of_bob {
            store.share(id, alice.id).await.expect("shared");
        }
        assert!(names(&store, &alice).await.contains(&"own.txt".to_owned()));
        let mut seen = std::collections::HashSet::new();
        for (page, count, more) in
            [(0, PAGE as usize + 1, true), (1, PAGE as usize, true), (2, 1, false), (3, 0, false)]
        {
            let (files, goes_on) = store.files_of(alice.id, page).await.expect("listed");
            assert_eq!((files.len(), goes_on), (count, more), "page {page}");
            seen.extend(files.into_iter().map(|listed| listed.file.id));
        }
        assert_eq!(seen.len(), 2 * PAGE as usize + 2);
    }
}
