//! Turns what a transaction has decided into steps, each of which may be taken twice and is done once.

use std::ops::Range;

use bytes::Bytes;
use deltalake_core::checkpoints::create_checkpoint;
use deltalake_core::{DeltaTable, DeltaTableBuilder, DeltaTableError};
use futures::future::try_join_all;
use futures::stream::{self, StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::{Error, ObjectStore, ObjectStoreExt, PutMode};
use serde::{Deserialize, Serialize};

use crate::adapter::AdapterError;
use crate::adapter::lake::commit::actions::Commit;
use crate::adapter::lake::error::{conflict, delta_error, is_conflict, store_error};
use crate::adapter::lake::overlay::{LOG, VIEW};
use crate::adapter::lake::profile;

/// After so many commits a log is summed up, as the protocol proposes.
const CHECKPOINT: u64 = 10;

/// How often a commit that only adds rows makes way for those of others.
const ATTEMPTS: usize = 100;

/// What a transaction does to what everybody sees, in order. Paths start at the lakehouse, which may be found elsewhere by
/// whoever finishes it.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Plan(pub Vec<Step>);

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// An entry in the log of a table.
    Commit {
        table: String,
        version: u64,
        text: String,
        /// Whether it was made of what the table held before.
        #[serde(default)]
        is_watched: bool,
    },
    /// The query of a view, in the place of another one or of none.
    View { path: String, before: Option<String>, text: String },
    /// A view, known by its query, or a table, known by its id, goes; or a schema, which is not known again.
    Drop { path: String, was: Option<String> },
}

impl Plan {
    /// Whether nobody else has changed one of the tables meanwhile, other than by adding rows to which these are added.
    pub async fn is_free(&self, place: &profile::Place) -> Result<(), AdapterError> {
        try_join_all(self.0.iter().map(|step| step.is_free(place))).await.map(drop)
    }

    /// Takes all steps. The first that somebody else has made impossible is an error.
    pub async fn carry_out(&self, place: &profile::Place) -> Result<(), AdapterError> {
        for step in &self.0 {
            step.take(place).await?;
        }
        Ok(())
    }

    /// Takes the steps that were not taken when the transaction was cut short. What others have changed since stays.
    pub async fn finish(&self, place: &profile::Place) -> Result<(), AdapterError> {
        for step in &self.0 {
            if step.is_due(place).await? {
                match step.take(place).await {
                    Err(error) if is_conflict(&error) => {}
                    taken => taken?,
                }
            }
        }
        Ok(())
    }
}

impl Step {
    async fn is_free(&self, place: &profile::Place) -> Result<(), AdapterError> {
        let Step::Commit { table, version, text, is_watched } = self else { return Ok(()) };
        let table = path(place, table);
        let ours = Commit::read(&Bytes::from(text.clone()));
        for version in (*version..).take(ATTEMPTS) {
            let theirs = match place.store.get(&entry(&table, version)).await {
                Err(Error::NotFound { .. }) => return Ok(()),
                found => found.map_err(store_error)?.bytes().await.map_err(store_error)?,
            };
            if !goes_beside(&ours, *is_watched, &Commit::read(&theirs)) {
                return Err(conflict(&table));
            }
        }
        Err(conflict(&table))
    }

    async fn take(&self, place: &profile::Place) -> Result<(), AdapterError> {
        match self {
            Step::Commit { table, version, text, is_watched } => {
                let table = path(place, table);
                let version = write(place, &table, *version, text, *is_watched).await?;
                if version > 0 && version.is_multiple_of(CHECKPOINT) {
                    checkpoint(place, &table).await;
                }
                Ok(())
            }
            Step::View { path: view, text, .. } => {
                place.store.put(&path(place, view), text.clone().into()).await.map(drop).map_err(store_error)
            }
            Step::Drop { path: gone, .. } => remove(place, &path(place, gone)).await,
        }
    }

    /// Whether a step may have to be taken still. That of a log finds out by itself, if its table is there.
    async fn is_due(&self, place: &profile::Place) -> Result<bool, AdapterError> {
        Ok(match self {
            Step::Commit { version: 0, .. } => true,
            Step::Commit { table, version, .. } => {
                match place.store.head(&entry(&path(place, table), version - 1)).await {
                    Err(Error::NotFound { .. }) => false,
                    found => found.map(|_| true).map_err(store_error)?,
                }
            }
            Step::View { path: view, before, .. } => identity(place, &path(place, view)).await? == *before,
            Step::Drop { was: None, .. } => false,
            // What cannot be read is a table of which half is gone.
            Step::Drop { path: gone, was } => identity(place, &path(place, gone)).await.map_or(true, |is| is == *was),
        })
    }
}

fn path(place: &profile::Place, below: &str) -> Path {
    let below = Path::parse(below).unwrap_or_else(|_| Path::from(below));
    place.root.parts().chain(below.parts()).collect()
}

/// A path of the store as it is in a plan.
pub fn below(place: &profile::Place, path: &Path) -> String {
    let parts: Option<Path> = path.prefix_match(&place.root).map(Iterator::collect);
    parts.unwrap_or_else(|| path.clone()).to_string()
}

/// What tells a view or a table from another one of that name: its query, or its id. None if there is none.
pub async fn identity(place: &profile::Place, path: &Path) -> Result<Option<String>, AdapterError> {
    if !path.as_ref().ends_with(VIEW) {
        let Some(table) = table(place, path).await? else { return Ok(None) };
        return Ok(Some(table.snapshot().map_err(delta_error)?.metadata().id().to_string()));
    }
    match place.store.get(path).await {
        Ok(found) => Ok(Some(String::from_utf8_lossy(&found.bytes().await.map_err(store_error)?).into_owned())),
        Err(Error::NotFound { .. }) => Ok(None),
        Err(error) => Err(store_error(error)),
    }
}

/// A table as everybody sees it; none if there is none.
pub async fn table(place: &profile::Place, table: &Path) -> Result<Option<DeltaTable>, AdapterError> {
    let mut url = place.url.clone();
    if let Ok(mut parts) = url.path_segments_mut() {
        parts.clear().extend(table.parts().map(|part| part.as_ref().to_string())).push("");
    }
    let builder = DeltaTableBuilder::from_url(url.clone()).map_err(delta_error)?;
    match builder.with_storage_backend(place.store.clone(), url).load().await {
        Ok(table) => Ok(Some(table)),
        Err(DeltaTableError::NotATable(_)) => Ok(None),
        Err(error) => Err(delta_error(error)),
    }
}

/// Whether a commit may follow one of somebody else that it does not know of.
fn goes_beside(ours: &Commit, is_watched: bool, theirs: &Commit) -> bool {
    ours.only_adds() && if is_watched { !theirs.is_news() } else { !theirs.is_new_layout() }
}

/// Whether some versions of a table hold the same rows as those before.
pub async fn is_as_seen(place: &profile::Place, table: &Path, versions: Range<u64>) -> Result<(), AdapterError> {
    for version in versions {
        let theirs = match place.store.get(&entry(table, version)).await {
            Err(Error::NotFound { .. }) => return Err(conflict(table)),
            found => found.map_err(store_error)?.bytes().await.map_err(store_error)?,
        };
        if Commit::read(&theirs).is_news() {
            return Err(conflict(table));
        }
    }
    Ok(())
}

/// Writes a commit as the given version, or as a later one if it goes beside those of others.
async fn write(
    place: &profile::Place,
    table: &Path,
    first: u64,
    text: &str,
    is_watched: bool,
) -> Result<u64, AdapterError> {
    let bytes = Bytes::from(text.to_string());
    let ours = Commit::read(&bytes);
    for version in (first..).take(ATTEMPTS) {
        let path = entry(table, version);
        match place.store.put_opts(&path, bytes.clone().into(), PutMode::Create.into()).await {
            Ok(_) => return Ok(version),
            Err(Error::AlreadyExists { .. }) => {
                let theirs = place.store.get(&path).await.map_err(store_error)?.bytes().await.map_err(store_error)?;
                // A request whose answer was lost, or a step that is taken again, finds its own commit.
                if theirs == bytes {
                    return Ok(version);
                }
                if !goes_beside(&ours, is_watched, &Commit::read(&theirs)) {
                    return Err(conflict(table));
                }
            }
            Err(error) => return Err(store_error(error)),
        }
    }
    Err(conflict(table))
}

fn entry(table: &Path, version: u64) -> Path {
    let name = format!("{table}/{LOG}/{version:020}.json");
    Path::parse(&name).unwrap_or_else(|_| Path::from(name))
}

/// Sums a log up, so that readers need not read all of it. Without it they find the same.
async fn checkpoint(place: &profile::Place, path: &Path) {
    if let Ok(Some(table)) = table(place, path).await {
        let _ = create_checkpoint(&table, None).await;
    }
}

/// Deletes a view, or a table with all its files, its newest commit first: what is left, if that is cut short, is an
/// earlier version of the table, and never half of one.
async fn remove(place: &profile::Place, path: &Path) -> Result<(), AdapterError> {
    let store = &place.store;
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
        match store.delete(&path).await {
            Ok(()) | Err(Error::NotFound { .. }) => {}
            Err(error) => return Err(store_error(error)),
        }
    }
    forget(place, data).await;
    Ok(())
}

/// Files that nobody reads: that they stay, if they cannot be deleted, harms nothing.
pub async fn forget(place: &profile::Place, files: Vec<Path>) {
    let files = stream::iter(files.into_iter().map(Ok)).boxed();
    place.store.delete_stream(files).for_each(|_| async {}).await;
}
