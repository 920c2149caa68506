//! Turns a transaction over several tables into one that is done wholly or not at all: what it will do is written down
//! beside the tables before its first step, and whoever comes next finishes what was cut short.
//!
//! On a disk there is a lock: who has it knows that the writer of an entry that is there is no more. An object store has no
//! locks: there an entry that stays for some seconds is taken over. If its writer lives after all, both write the same
//! entries of logs, of which one stays.

use std::fs::{self, File};
use std::time::Duration;

use futures::stream::TryStreamExt;
use object_store::path::Path;
use object_store::{Error, ObjectStoreExt, PutMode};
use uuid::Uuid;

use crate::adapter::AdapterError;
use crate::adapter::lake::commit::plan::Plan;
use crate::adapter::lake::error::{refused, store_error};
use crate::adapter::lake::profile::Place;

/// Where the entries are: no schema begins like that.
const FOLDER: [&str; 2] = ["_medal", "commits"];
const LOCK: &str = ".lock";
/// How long a writer to an object store may take for its steps before others help.
const PATIENCE: Duration = Duration::from_secs(15);
const PAUSE: Duration = Duration::from_millis(100);

/// The turn to take the steps of transactions, until it is dropped. A store without locks knows none.
pub struct Turn {
    _lock: Option<File>,
}

impl Turn {
    /// Waits for the others, and finishes what those have left that are no more.
    pub async fn take(place: &Place) -> Result<Turn, AdapterError> {
        let turn = Turn { _lock: lock(place)? };
        let mut waited = Duration::ZERO;
        let mut left = entries(place).await?;
        while place.folder.is_none() && !left.is_empty() && waited < PATIENCE {
            tokio::time::sleep(PAUSE).await;
            waited += PAUSE;
            let still = entries(place).await?;
            left.retain(|entry| still.contains(entry));
        }
        for entry in left {
            let text = match place.store.get(&entry).await {
                Err(Error::NotFound { .. }) => continue,
                found => found.map_err(store_error)?.bytes().await.map_err(store_error)?,
            };
            read(&entry, &text)?.finish(place).await?;
            close(place, &entry).await;
        }
        Ok(turn)
    }
}

fn lock(place: &Place) -> Result<Option<File>, AdapterError> {
    let Some(folder) = &place.folder else { return Ok(None) };
    let folder = FOLDER.iter().fold(folder.clone(), |path, part| path.join(part));
    let path = folder.join(LOCK);
    let opened = fs::create_dir_all(folder).and_then(|()| File::options().create(true).append(true).open(&path));
    let file = opened.map_err(|error| refused(format!("IO Error: {}: {error}", path.display())))?;
    // A disk without locks is as a store without them.
    let _ = file.lock();
    Ok(Some(file))
}

/// Finishes every transaction that was cut short.
pub async fn finish(place: &Place) -> Result<(), AdapterError> {
    if entries(place).await?.is_empty() { Ok(()) } else { Turn::take(place).await.map(drop) }
}

/// Writes down what will be done.
pub async fn open(place: &Place, plan: &Plan) -> Result<Path, AdapterError> {
    let text = serde_json::to_string(plan).map_err(|error| refused(error.to_string()))?;
    let entry = folder(place).join(format!("{}.json", Uuid::new_v4().simple()));
    place.store.put_opts(&entry, text.into(), PutMode::Create.into()).await.map_err(store_error)?;
    Ok(entry)
}

/// Crosses an entry out. One that stays would be found done.
pub async fn close(place: &Place, entry: &Path) {
    let _ = place.store.delete(entry).await;
}

fn folder(place: &Place) -> Path {
    FOLDER.iter().fold(place.root.clone(), |path, part| path.join(*part))
}

async fn entries(place: &Place) -> Result<Vec<Path>, AdapterError> {
    let listed: Vec<_> = match place.store.list(Some(&folder(place))).try_collect().await {
        Err(Error::NotFound { .. }) => Vec::new(),
        listed => listed.map_err(store_error)?,
    };
    Ok(listed.into_iter().map(|meta| meta.location).filter(|path| path.as_ref().ends_with(".json")).collect())
}

fn read(entry: &Path, text: &[u8]) -> Result<Plan, AdapterError> {
    serde_json::from_slice(text).map_err(|error| {
        refused(format!(
            "IO Error: the transaction in {entry} cannot be finished: it is damaged, or of another version of medal \
             ({error}); delete the file to go on with the tables as they are"
        ))
    })
}
