//! Turns what a transaction has staged into the objects that everybody sees: one commit for each table.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::Bytes;
use deltalake_core::checkpoints::create_checkpoint;
use deltalake_core::kernel::Action;
use deltalake_core::{DeltaTable, DeltaTableBuilder, DeltaTableError};
use futures::stream::{self, StreamExt, TryStreamExt};
use indexmap::IndexMap;
use object_store::path::Path;
use object_store::{Error, ObjectStore, ObjectStoreExt, PutMode};
use serde_json::{Map, Value as Json};
use url::Url;

use crate::adapter::AdapterError;
use crate::adapter::lake::error::{conflict, delta_error, is_conflict, refused, store_error};
use crate::adapter::lake::journal::{Entry, Journal};
use crate::adapter::lake::overlay::{LOG, Staged, VIEW};
use crate::adapter::lake::profile::Place;

/// What the id of a run is called in a commit.
pub const RUN_ID: &str = "runId";

/// After so many commits a log is summed up, as the protocol proposes.
const CHECKPOINT: u64 = 10;

/// How often a commit that only adds rows makes way for those of others.
const ATTEMPTS: usize = 100;

/// Writes what is staged: the table first that the transaction wrote to the longest time ago, so that what it wrote last
/// speaks of what is there. A table that somebody else has changed meanwhile, other than by adding rows to which these
/// are added, is a conflict: its commit is not written.
pub async fn commit(lake: &Place, staged: Staged, run_id: Option<&String>) -> Result<(), AdapterError> {
    let (store, root) = (&lake.store, &lake.url);
    let Staged { objects, dropped, .. } = staged;
    let mut tables: IndexMap<Path, Vec<Bytes>> = IndexMap::new();
    let mut first: BTreeMap<Path, u64> = BTreeMap::new();
    let mut views = Vec::new();
    for (path, (bytes, _)) in objects {
        match version(&path) {
            Some((table, version)) => {
                first.entry(table.clone()).or_insert(version);
                let mut commits = tables.shift_remove(&table).unwrap_or_default();
                commits.push(bytes);
                tables.insert(table, commits);
            }
            None => views.push((path, bytes)),
        }
    }
    let (mut entries, mut garbage) = (Vec::new(), Vec::new());
    for (table, commits) in tables {
        let mut commit = Commit::merge(&commits).of_run(run_id);
        let mut version = first[&table];
        // What is dropped and made again is replaced: readers see one step, and the versions before stay.
        if dropped.contains(&table)
            && let Some(before) = before(store, root, &table).await?
        {
            version = before.version().map_or(0, |version| version + 1);
            commit.replace(&before)?;
        }
        garbage.extend(commit.garbage.iter().filter_map(|file| place(&table, file)));
        entries.push(Entry { table, version, text: commit.text() });
    }
    write_all(lake, &entries).await?;
    forget(store, garbage).await;
    for (path, bytes) in &views {
        store.put(path, bytes.clone().into()).await.map_err(store_error)?;
    }
    let kept: BTreeSet<&Path> = views.iter().map(|(path, _)| path).collect();
    for path in dropped.iter().filter(|path| !kept.contains(path)) {
        if !first.contains_key(path) {
            remove(store, path).await?;
        }
    }
    Ok(())
}

/// Writes the entries of all tables, as one step if there are several.
async fn write_all(lake: &Place, entries: &[Entry]) -> Result<(), AdapterError> {
    let store = &lake.store;
    let journal = match entries {
        [] | [_] => None,
        several => Some(Journal::write(store, &lake.root, several).await?),
    };
    let mut written = Vec::new();
    for entry in entries {
        match write(store, entry).await {
            Ok(version) => written.push((&entry.table, version)),
            Err(error) => {
                // What is begun is ended by whoever comes next, unless somebody else has changed a table.
                if let Some(journal) = journal.filter(|_| written.is_empty() || is_conflict(&error)) {
                    journal.end().await?;
                }
                return Err(error);
            }
        }
    }
    if let Some(journal) = journal {
        journal.end().await?;
    }
    for (table, version) in written {
        if version > 0 && version.is_multiple_of(CHECKPOINT) {
            checkpoint(store, &lake.url, table).await;
        }
    }
    Ok(())
}

/// Sums a log up, so that readers need not read all of it. Without it they find the same.
async fn checkpoint(store: &Arc<dyn ObjectStore>, root: &Url, table: &Path) {
    if let Ok(Some(table)) = before(store, root, table).await {
        let _ = create_checkpoint(&table, None).await;
    }
}

/// A table as everybody sees it; none if there is none.
async fn before(store: &Arc<dyn ObjectStore>, root: &Url, table: &Path) -> Result<Option<DeltaTable>, AdapterError> {
    let mut url = root.clone();
    if let Ok(mut parts) = url.path_segments_mut() {
        parts.clear().extend(table.parts().map(|part| part.as_ref().to_string())).push("");
    }
    let builder = DeltaTableBuilder::from_url(url.clone()).map_err(delta_error)?;
    match builder.with_storage_backend(store.clone(), url).load().await {
        Ok(table) => Ok(Some(table)),
        Err(DeltaTableError::NotATable(_)) => Ok(None),
        Err(error) => Err(delta_error(error)),
    }
}

/// Deletes the files that a transaction has written and that no log will name.
pub async fn roll_back(store: &Arc<dyn ObjectStore>, staged: Staged) {
    forget(store, staged.written.into_iter().collect()).await;
}

/// Files that nobody reads: that they stay, if they cannot be deleted, harms nothing.
async fn forget(store: &Arc<dyn ObjectStore>, files: Vec<Path>) {
    let files = stream::iter(files.into_iter().map(Ok)).boxed();
    store.delete_stream(files).for_each(|_| async {}).await;
}

/// Deletes a view, or a table with all its files, its newest commit first: what is left, if that is cut short, is an
/// earlier version of the table, and never half of one.
async fn remove(store: &Arc<dyn ObjectStore>, path: &Path) -> Result<(), AdapterError> {
    if path.as_ref().ends_with(VIEW) {
        return match store.delete(path).await {
            Err(Error::NotFound { .. }) => Ok(()),
            deleted => deleted.map_err(store_error),
        };
    }
    let listed: Vec<_> = match store.list(Some(path)).try_collect().await {
        Err(Error::NotFound { .. }) => Vec::new(),
        listed => listed.map_err(store_error)?,
    };
    let paths = listed.into_iter().map(|meta| meta.location);
    let (mut log, data): (Vec<Path>, Vec<Path>) = paths.partition(|path| path.parts().any(|part| part.as_ref() == LOG));
    log.sort_by(|a, b| b.cmp(a));
    for path in log {
        store.delete(&path).await.map_err(store_error)?;
    }
    forget(store, data).await;
    Ok(())
}

/// The table and the version of a commit, from the place of its log entry.
fn version(path: &Path) -> Option<(Path, u64)> {
    let version = path.filename()?.strip_suffix(".json")?.parse().ok()?;
    let parts: Vec<_> = path.parts().collect();
    let (_, table) = parts.split_last()?;
    let (log, table) = table.split_last()?;
    (log.as_ref() == LOG).then(|| (table.iter().cloned().collect(), version))
}

/// The place of an entry in the log of a table.
pub fn place_of(table: &Path, version: u64) -> Path {
    join(table, &format!("{LOG}/{version:020}.json"))
}

/// A file of a table; in logs its path is written as in an address.
fn place(table: &Path, file: &str) -> Option<Path> {
    let file = Path::from_url_path(file).ok()?;
    Some(join(table, file.as_ref()))
}

fn join(folder: &Path, below: &str) -> Path {
    Path::parse(format!("{folder}/{below}")).unwrap_or_else(|_| folder.clone())
}

/// Actions of Delta Lake that are written as one.
#[derive(Debug, Default)]
struct Commit {
    actions: Vec<Json>,
    /// Files that were added and then removed again.
    garbage: Vec<String>,
}

/// The actions of which the last one of a key is what counts.
const KEYED: [(&str, &str); 5] =
    [("protocol", ""), ("metaData", ""), ("commitInfo", ""), ("txn", "appId"), ("domainMetadata", "domain")];

impl Commit {
    /// Several commits, in order, as one.
    fn merge(commits: &[Bytes]) -> Commit {
        if let [one] = commits {
            return Commit { actions: actions(one), garbage: Vec::new() };
        }
        let mut keyed: BTreeMap<(usize, String), Json> = BTreeMap::new();
        let mut others = Vec::new();
        // The last action on each file, and whether this transaction was the first to add it.
        let mut files: BTreeMap<String, (Json, bool)> = BTreeMap::new();
        let mut garbage = Vec::new();
        for action in commits.iter().flat_map(actions) {
            let Some((name, body)) = action.as_object().and_then(|action| action.iter().next()) else { continue };
            let text = |key: &str| body.get(key).and_then(Json::as_str).unwrap_or_default().to_string();
            if let Some(rank) = KEYED.iter().position(|(keyed, _)| keyed == name) {
                keyed.insert((rank, text(KEYED[rank].1)), action);
            } else if name == "add" || name == "remove" {
                let (path, is_add) = (text("path"), name == "add");
                match files.remove(&path) {
                    Some((_, true)) if !is_add => garbage.push(path),
                    before => {
                        let is_new = before.map_or(is_add, |(_, is_new)| is_new);
                        files.insert(path, (action, is_new));
                    }
                }
            } else {
                others.push(action);
            }
        }
        let actions = keyed.into_values().chain(files.into_values().map(|(action, _)| action)).chain(others);
        Commit { actions: actions.collect(), garbage }
    }

    /// The same, with the run that did it.
    fn of_run(mut self, run_id: Option<&String>) -> Commit {
        let told = self.actions.iter_mut().filter_map(|action| action.get_mut("commitInfo")?.as_object_mut());
        for (info, id) in told.zip(run_id) {
            info.insert(RUN_ID.to_string(), id.as_str().into());
        }
        self
    }

    /// The same, in the place of a table that is there: its files are removed, and it stays the same table.
    fn replace(&mut self, before: &DeltaTable) -> Result<(), AdapterError> {
        let snapshot = before.snapshot().map_err(delta_error)?;
        for action in &mut self.actions {
            if let Some(metadata) = action.get_mut("metaData") {
                metadata["id"] = snapshot.metadata().id().into();
            }
        }
        for file in snapshot.log_data() {
            let removed = Action::Remove(file.remove_action(true));
            self.actions.push(serde_json::to_value(removed).map_err(|error| refused(error.to_string()))?);
        }
        Ok(())
    }

    /// Whether rows are added and nothing else is done.
    fn only_adds(&self) -> bool {
        !self.has(&["remove", "metaData", "protocol"])
    }

    fn has(&self, names: &[&str]) -> bool {
        self.actions.iter().filter_map(Json::as_object).flat_map(Map::keys).any(|name| names.contains(&name.as_str()))
    }

    /// As it stands in a log.
    fn text(&self) -> String {
        self.actions.iter().map(Json::to_string).collect::<Vec<_>>().join("\n")
    }
}

/// Writes an entry as its version, or as a later one if others have only added rows, as this one does. Gives the version.
pub async fn write(store: &Arc<dyn ObjectStore>, entry: &Entry) -> Result<u64, AdapterError> {
    let bytes = Bytes::from(entry.text.clone());
    let commit = Commit { actions: actions(&bytes), garbage: Vec::new() };
    for version in (entry.version..).take(ATTEMPTS) {
        let path = place_of(&entry.table, version);
        match store.put_opts(&path, bytes.clone().into(), PutMode::Create.into()).await {
            Ok(_) => return Ok(version),
            Err(Error::AlreadyExists { .. }) => {
                let theirs = store.get(&path).await.map_err(store_error)?.bytes().await.map_err(store_error)?;
                // A request that was sent again because its answer was lost finds its own commit; so does whoever ends
                // what another one has begun.
                if theirs == bytes {
                    return Ok(version);
                }
                let theirs = Commit { actions: actions(&theirs), garbage: Vec::new() };
                if !commit.only_adds() || theirs.has(&["metaData", "protocol"]) {
                    return Err(conflict(&entry.table));
                }
            }
            Err(error) => return Err(store_error(error)),
        }
    }
    Err(conflict(&entry.table))
}

fn actions(commit: &Bytes) -> Vec<Json> {
    serde_json::Deserializer::from_slice(commit).into_iter::<Json>().map_while(Result::ok).collect()
}

#[cfg(test)]
mod tests {
    use super::Commit;
    use bytes::Bytes;

    #[test]
    fn a_file_that_is_added_and_removed_in_one_transaction_is_in_no_log() {
        let commits = [
            r#"{"metaData":{"id":"1"}}
            {"add":{"path":"a"}}"#,
            r#"{"remove":{"path":"a"}}
            {"remove":{"path":"old"}}
            {"add":{"path":"b"}}"#,
        ];
        let merged = Commit::merge(&commits.map(Bytes::from));
        let lines: Vec<String> = merged.actions.iter().map(ToString::to_string).collect();
        assert_eq!(lines, [r#"{"metaData":{"id":"1"}}"#, r#"{"add":{"path":"b"}}"#, r#"{"remove":{"path":"old"}}"#]);
        assert_eq!(merged.garbage, ["a"]);
    }
}
