//! Turns the commits of several tables into one step: what a killed process has begun to write, the next one ends.
//!
//! The entries of all logs are written down in one object before the first of them goes to its log. That object is the
//! moment at which the transaction is done. An entry is known by its text, so writing it twice leaves one.

use std::process;
use std::sync::{Arc, LazyLock};

use futures::stream::TryStreamExt;
use object_store::path::Path;
use object_store::{Error, ObjectStore, ObjectStoreExt};
use serde_json::{Value as Json, json};
use uuid::Uuid;

use crate::adapter::AdapterError;
use crate::adapter::lake::commit;
use crate::adapter::lake::error::{is_conflict, store_error};

/// The folder of the lakehouse for what is being committed.
const FOLDER: &str = "_medal/commits";

/// What the journals of this process are called.
static PROCESS: LazyLock<String> = LazyLock::new(|| format!("{}-{}", process::id(), Uuid::new_v4().simple()));

/// An entry of the log of a table.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    pub table: Path,
    /// The version that it was made for. It may become a later one, if it only adds rows.
    pub version: u64,
    pub text: String,
}

/// The entries of a transaction, written down.
pub struct Journal<'a> {
    store: &'a Arc<dyn ObjectStore>,
    path: Path,
}

impl Journal<'_> {
    /// Writes entries down, below the root of a lakehouse.
    pub async fn write<'a>(
        store: &'a Arc<dyn ObjectStore>,
        root: &Path,
        entries: &[Entry],
    ) -> Result<Journal<'a>, AdapterError> {
        let name = format!("{}-{}.json", *PROCESS, Uuid::new_v4().simple());
        let path = folder(root).join(name);
        store.put(&path, text(root, entries).into()).await.map_err(store_error)?;
        Ok(Journal { store, path })
    }

    /// Nothing of it is left to do.
    pub async fn end(self) -> Result<(), AdapterError> {
        remove(self.store, &self.path).await
    }
}

/// Ends what others have begun: those that were killed, and those that are at it right now.
pub async fn end_others(store: &Arc<dyn ObjectStore>, root: &Path) -> Result<(), AdapterError> {
    let listed: Vec<_> = match store.list(Some(&folder(root))).try_collect().await {
        Err(Error::NotFound { .. }) => return Ok(()),
        listed => listed.map_err(store_error)?,
    };
    let is_ours = |path: &Path| path.filename().is_some_and(|name| name.starts_with(PROCESS.as_str()));
    for path in listed.into_iter().map(|meta| meta.location).filter(|path| !is_ours(path)) {
        let text = match store.get(&path).await {
            Err(Error::NotFound { .. }) => continue,
            found => found.map_err(store_error)?.bytes().await.map_err(store_error)?,
        };
        for entry in read(root, &text) {
            if !is_due(store, &entry).await? {
                continue;
            }
            match commit::write(store, &entry).await {
                // Somebody else was there first: the transaction has failed, and its writer, if there is one, says so.
                Err(error) if is_conflict(&error) => break,
                written => drop(written?),
            }
        }
        remove(store, &path).await?;
    }
    Ok(())
}

/// Whether the table that an entry was made for is there still.
async fn is_due(store: &Arc<dyn ObjectStore>, entry: &Entry) -> Result<bool, AdapterError> {
    let Some(before) = entry.version.checked_sub(1) else { return Ok(true) };
    match store.head(&commit::place_of(&entry.table, before)).await {
        Err(Error::NotFound { .. }) => Ok(false),
        found => found.map(|_| true).map_err(store_error),
    }
}

fn folder(root: &Path) -> Path {
    FOLDER.split('/').fold(root.clone(), |path, part| path.join(part))
}

async fn remove(store: &Arc<dyn ObjectStore>, path: &Path) -> Result<(), AdapterError> {
    match store.delete(path).await {
        Err(Error::NotFound { .. }) => Ok(()),
        deleted => deleted.map_err(store_error),
    }
}

/// Tables are told by their place below the root: a lakehouse may be moved.
fn text(root: &Path, entries: &[Entry]) -> String {
    let line = |entry: &Entry| {
        let below: Option<Path> = entry.table.prefix_match(root).map(Iterator::collect);
        let table = below.as_ref().map_or(entry.table.as_ref(), Path::as_ref);
        json!({"table": table, "version": entry.version, "text": entry.text})
    };
    Json::Array(entries.iter().map(line).collect()).to_string()
}

fn read(root: &Path, text: &[u8]) -> Vec<Entry> {
    let lines: Vec<Json> = serde_json::from_slice(text).unwrap_or_default();
    let entry = |line: &Json| {
        Some(Entry {
            table: root.parts().chain(Path::parse(line["table"].as_str()?).ok()?.parts()).collect(),
            version: line["version"].as_u64()?,
            text: line["text"].as_str()?.to_string(),
        })
    };
    lines.iter().filter_map(entry).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use futures::stream::TryStreamExt;
    use object_store::memory::InMemory;
    use object_store::path::Path;
    use object_store::{ObjectStore, ObjectStoreExt};

    use super::{Entry, end_others, text};
    use crate::adapter::lake::commit;

    fn entry(table: &str, version: u64, text: &str) -> Entry {
        Entry { table: Path::from(table), version, text: text.to_string() }
    }

    async fn names(store: &Arc<dyn ObjectStore>) -> Vec<String> {
        let listed: Vec<_> = store.list(None).try_collect().await.expect("the store can be listed");
        let mut names: Vec<String> = listed.into_iter().map(|meta| meta.location.to_string()).collect();
        names.sort();
        names
    }

    /// A store in which a process has written down both entries, and the first into its log.
    async fn half_done(first: &Entry, second: &Entry) -> Arc<dyn ObjectStore> {
        let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
        let journal = Path::from("lake/_medal/commits/killed.json");
        let both = [first.clone(), second.clone()];
        store.put(&journal, text(&Path::from("lake"), &both).into()).await.expect("the journal can be written");
        commit::write(&store, first).await.expect("the first entry can be written");
        store
    }

    #[tokio::test]
    async fn what_a_killed_process_has_begun_is_ended_once() {
        let (orders, files) =
            (entry("lake/main/orders", 0, r#"{"add":{}}"#), entry("lake/main/files", 0, r#"{"add":1}"#));
        let store = half_done(&orders, &files).await;
        for _ in 0..2 {
            end_others(&store, &Path::from("lake")).await.expect("the rest can be written");
            let logs = ["files", "orders"].map(|table| format!("lake/main/{table}/_delta_log/{:020}.json", 0));
            assert_eq!(names(&store).await, logs);
        }
    }

    #[tokio::test]
    async fn an_entry_gets_a_later_version_where_others_have_added_rows_and_none_in_a_table_that_is_gone() {
        let (orders, files) =
            (entry("lake/main/orders", 0, r#"{"add":{}}"#), entry("lake/main/files", 0, r#"{"add":1}"#));
        let store = half_done(&orders, &files).await;
        commit::write(&store, &entry("lake/main/files", 0, r#"{"add":2}"#)).await.expect("another one adds rows");
        end_others(&store, &Path::from("lake")).await.expect("the rest can be written");
        assert_eq!(names(&store).await.iter().filter(|name| name.contains("files")).count(), 2);
        let gone = entry("lake/main/gone", 3, r#"{"add":3}"#);
        let store = half_done(&orders, &gone).await;
        end_others(&store, &Path::from("lake")).await.expect("there is nothing to write");
        assert_eq!(
            names(&store).await.iter().filter(|name| name.contains("gone") || name.contains("_medal")).count(),
            0
        );
    }
}
