//! Where the bytes of pictures are: a folder of this machine, or memory for tests.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use futures::{Stream, TryStreamExt};
use object_store::local::LocalFileSystem;
use object_store::memory::InMemory;
use object_store::{ObjectStore, ObjectStoreExt, path::Path as Key};

#[derive(Debug, thiserror::Error)]
pub enum ShelfError {
    #[error("The folder {folder:?} can't be used for pictures: {reason}")]
    Open { folder: PathBuf, reason: String },
    #[error("There is nothing on the shelf under {0:?}.")]
    Missing(String),
    #[error("The disk is full.")]
    Full,
    #[error("The shelf failed: {0}")]
    Failed(String),
}

/// Keeps blobs under keys such as `pictures/pic_….png`.
#[derive(Clone, Debug)]
pub struct Shelf {
    store: Arc<dyn ObjectStore>,
    /// Absent in memory.
    folder: Option<PathBuf>,
}

impl Shelf {
    /// A shelf in a folder, which is made when it is missing. A blob appears whole or not at all.
    pub fn folder(folder: &Path) -> Result<Self, ShelfError> {
        let open = |reason: String| ShelfError::Open {
            folder: folder.to_owned(),
            reason,
        };
        std::fs::create_dir_all(folder).map_err(|e| open(e.to_string()))?;
        let store = LocalFileSystem::new_with_prefix(folder).map_err(|e| open(e.to_string()))?;
        Ok(Self {
            store: Arc::new(store.with_automatic_cleanup(true)),
            folder: Some(folder.to_owned()),
        })
    }

    #[must_use]
    pub fn memory() -> Self {
        Self {
            store: Arc::new(InMemory::new()),
            folder: None,
        }
    }

    pub async fn put(&self, key: &str, bytes: Vec<u8>) -> Result<(), ShelfError> {
        self.store
            .put(&Key::from(key), bytes.into())
            .await
            .map_err(ShelfError::from)?;
        Ok(())
    }

    pub async fn get(&self, key: &str) -> Result<Bytes, ShelfError> {
        let found = self
            .store
            .get(&Key::from(key))
            .await
            .map_err(ShelfError::from)?;
        found.bytes().await.map_err(ShelfError::from)
    }

    /// Deletes a blob; one that is gone already is no error.
    pub async fn delete(&self, key: &str) -> Result<(), ShelfError> {
        match self
            .store
            .delete(&Key::from(key))
            .await
            .map_err(ShelfError::from)
        {
            Err(ShelfError::Missing(_)) => Ok(()),
            other => other,
        }
    }

    /// What stands at the top of the shelf: names of folders, and of blobs that are in none.
    pub async fn top(&self) -> Result<Vec<String>, ShelfError> {
        let listed = self.store.list_with_delimiter(None).await;
        let listed = listed.map_err(ShelfError::from)?;
        let folders = listed.common_prefixes.iter().map(ToString::to_string);
        let blobs = listed.objects.iter().map(|blob| blob.location.to_string());
        Ok(folders.chain(blobs).collect())
    }

    /// Every key below a folder of the shelf.
    pub async fn keys(&self, below: &str) -> Result<Vec<String>, ShelfError> {
        let listed = self.store.list(Some(&Key::from(below)));
        let keys = listed.map_ok(|found| found.location.to_string());
        keys.try_collect().await.map_err(ShelfError::from)
    }

    /// Blobs below a folder that were never whole: a process ended while it wrote them. They are no blobs, so
    /// nothing else lists them.
    pub async fn half_written(&self, below: &str) -> Result<Vec<String>, ShelfError> {
        let Some(folder) = self.folder.as_ref().map(|folder| folder.join(below)) else {
            return Ok(Vec::new());
        };
        let look = move || match std::fs::read_dir(folder) {
            Ok(entries) => {
                let names = entries.map(|entry| Ok(entry?.file_name().into_string().ok()));
                names.collect::<std::io::Result<Vec<Option<String>>>>()
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
            Err(error) => Err(error),
        };
        let names = aside(look).await?;
        let is_half = |name: &String| is_half_written(name);
        let half = names.into_iter().flatten().filter(is_half);
        Ok(half.map(|name| format!("{below}/{name}")).collect())
    }

    /// Deletes one of those; one that is gone already is no error.
    pub async fn drop_half_written(&self, key: &str) -> Result<(), ShelfError> {
        let Some(folder) = self.folder.as_ref().filter(|_| is_half_written(key)) else {
            return Ok(());
        };
        let path = folder.join(key);
        let drop = move || match std::fs::remove_file(path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
            Ok(()) | Err(_) => Ok(()),
        };
        aside(drop).await
    }

    /// The same, `many` at a time: there may be more than should be held in memory.
    pub fn keys_by_many(
        &self,
        below: &str,
        many: usize,
    ) -> impl Stream<Item = Result<Vec<String>, ShelfError>> + Send + Unpin + 'static {
        let listed = self.store.list(Some(&Key::from(below)));
        let keys = listed.map_ok(|found| found.location.to_string());
        keys.try_chunks(many).map_err(|broken| broken.1.into())
    }
}

/// A blob is written under its name with `#` and a number, and renamed once it is whole (`object_store`).
fn is_half_written(name: &str) -> bool {
    let number = name.rsplit_once('#').map(|(_, number)| number);
    number
        .is_some_and(|number| !number.is_empty() && number.bytes().all(|one| one.is_ascii_digit()))
}

/// Looks at the disk on a thread where nobody waits for it but the caller.
async fn aside<T: Send + 'static>(
    work: impl FnOnce() -> std::io::Result<T> + Send + 'static,
) -> Result<T, ShelfError> {
    let done = tokio::task::spawn_blocking(work).await;
    let done = done.map_err(|stopped| ShelfError::Failed(stopped.to_string()))?;
    done.map_err(|error| ShelfError::Failed(error.to_string()))
}

impl From<object_store::Error> for ShelfError {
    fn from(error: object_store::Error) -> Self {
        if let object_store::Error::NotFound { path, .. } = &error {
            return Self::Missing(path.clone());
        }
        let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(&error);
        while let Some(at) = cause {
            let io = at.downcast_ref::<std::io::Error>();
            if io.is_some_and(|io| io.kind() == std::io::ErrorKind::StorageFull) {
                return Self::Full;
            }
            cause = at.source();
        }
        Self::Failed(error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_blob_is_kept_listed_and_deleted() {
        let folder = tempfile::tempdir().expect("a folder");
        for shelf in [
            Shelf::memory(),
            Shelf::folder(folder.path()).expect("opens"),
        ] {
            shelf
                .put("pictures/a.png", vec![1, 2, 3])
                .await
                .expect("puts");
            assert_eq!(
                &shelf.get("pictures/a.png").await.expect("gets")[..],
                [1, 2, 3]
            );
            assert_eq!(
                shelf.keys("pictures").await.expect("lists"),
                ["pictures/a.png"]
            );
            for more in ["pictures/b.png", "pictures/c.png"] {
                shelf.put(more, vec![4]).await.expect("puts");
            }
            shelf.put("alone", vec![5]).await.expect("puts");
            let mut top = shelf.top().await.expect("lists");
            top.sort();
            assert_eq!(top, ["alone", "pictures"]);
            let by_two = shelf.keys_by_many("pictures", 2).map_ok(|keys| keys.len());
            let by_two: Vec<usize> = by_two.try_collect().await.expect("lists");
            assert_eq!(by_two, [2, 1]);
            shelf.delete("pictures/a.png").await.expect("deletes");
            shelf
                .delete("pictures/a.png")
                .await
                .expect("deleting twice is fine");
            let missing = shelf.get("pictures/a.png").await;
            assert!(matches!(missing, Err(ShelfError::Missing(_))));
        }
    }

    #[tokio::test]
    async fn what_was_half_written_is_found_and_dropped_and_nothing_else() {
        let folder = tempfile::tempdir().expect("a folder");
        let shelf = Shelf::folder(folder.path()).expect("opens");
        assert!(
            shelf
                .half_written("pictures")
                .await
                .expect("looks")
                .is_empty()
        );
        shelf.put("pictures/a.png", vec![1]).await.expect("puts");
        let half = folder.path().join("pictures/b.png#2");
        std::fs::write(&half, [1]).expect("writes");
        std::fs::write(folder.path().join("pictures/c#d"), [1]).expect("writes");
        assert_eq!(shelf.keys("pictures").await.expect("lists").len(), 2);
        let found = shelf.half_written("pictures").await.expect("looks");
        assert_eq!(found, ["pictures/b.png#2"]);
        for key in ["pictures/b.png#2", "pictures/b.png#2", "pictures/a.png"] {
            shelf.drop_half_written(key).await.expect("drops");
        }
        assert!(!half.exists());
        assert_eq!(&shelf.get("pictures/a.png").await.expect("gets")[..], [1]);
    }

    #[test]
    fn a_folder_below_a_file_is_refused() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        let refused = Shelf::folder(&file.path().join("below"));
        assert!(matches!(refused, Err(ShelfError::Open { .. })));
    }
}
