//! Turns a transaction over several tables into one that is done wholly or not at all: what it will do is written down
//! beside the tables before its first step, and whoever comes next finishes what was cut short.
//!
//! On a disk the entry is locked while its steps are taken, so that others wait for a writer that lives and take over from
//! one that does not. An object store has no locks: there an entry that stays for some seconds is taken over, which is
//! safe beside its writer, since a step that is taken twice is done once.

use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::PathBuf;
use std::sync::LazyLock;
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
const FOLDER: &str = "_medal/commits";
/// How the names of this process's entries begin: it finishes them itself.
static PROCESS: LazyLock<String> = LazyLock::new(|| Uuid::new_v4().simple().to_string());
/// How the name of an entry ends that is whole.
const WHOLE: &str = ".json";
/// How long a writer to an object store may take for its steps before others help.
const PATIENCE: Duration = Duration::from_secs(15);
const PAUSE: Duration = Duration::from_millis(250);

/// An entry of a transaction that has begun.
pub enum Entry {
    File(PathBuf, File),
    Object(Path),
}

impl Entry {
    /// Writes down what will be done.
    pub async fn open(place: &Place, plan: &Plan) -> Result<Entry, AdapterError> {
        let text = serde_json::to_string(plan).map_err(|error| refused(error.to_string()))?;
        let name = format!("{}.{}", *PROCESS, Uuid::new_v4().simple());
        match &place.folder {
            Some(folder) => {
                let folder = folder.join(FOLDER);
                on_disk(&folder, &name, &text).map_err(|error| disk_error(&folder, &error))
            }
            None => {
                let path =
                    place.root.clone().parts().chain(Path::from(format!("{FOLDER}/{name}{WHOLE}")).parts()).collect();
                place.store.put_opts(&path, text.into(), PutMode::Create.into()).await.map_err(store_error)?;
                Ok(Entry::Object(path))
            }
        }
    }

    /// Crosses it out. One that stays would be found done.
    pub async fn close(self, place: &Place) {
        let _ = match self {
            Entry::File(path, _lock) => fs::remove_file(path).map_err(|_| ()),
            Entry::Object(path) => place.store.delete(&path).await.map_err(|_| ()),
        };
    }
}

fn on_disk(folder: &std::path::Path, name: &str, text: &str) -> std::io::Result<Entry> {
    fs::create_dir_all(folder)?;
    let unfinished = folder.join(name);
    let mut file = File::create_new(&unfinished)?;
    // A disk without locks has no others that wait.
    let _ = file.lock();
    file.write_all(text.as_bytes())?;
    let path = folder.join(format!("{name}{WHOLE}"));
    fs::rename(unfinished, &path)?;
    Ok(Entry::File(path, file))
}

fn disk_error(path: &std::path::Path, error: &std::io::Error) -> AdapterError {
    refused(format!("IO Error: {}: {error}", path.display()))
}

/// Finishes every transaction that was cut short, and waits for those that are about to end.
pub async fn finish(place: &Place) -> Result<(), AdapterError> {
    match &place.folder {
        Some(folder) => finish_on_disk(place, &folder.join(FOLDER)).await,
        None => finish_in_store(place).await,
    }
}

async fn finish_on_disk(place: &Place, folder: &std::path::Path) -> Result<(), AdapterError> {
    let listed = match fs::read_dir(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        listed => listed.map_err(|error| disk_error(folder, &error))?,
    };
    let others = listed.filter_map(|entry| Some(entry.ok()?.path())).filter(|path| !is_ours(&path.to_string_lossy()));
    for path in others {
        let file = match File::open(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            opened => opened.map_err(|error| disk_error(&path, &error))?,
        };
        let _ = file.lock();
        let text = match fs::read(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            read => read.map_err(|error| disk_error(&path, &error))?,
        };
        // One that is not whole was not begun.
        if path.to_string_lossy().ends_with(WHOLE) {
            settle(place, &path.to_string_lossy(), &text).await?;
        }
        match fs::remove_file(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(disk_error(&path, &error)),
            _ => {}
        }
    }
    Ok(())
}

fn is_ours(path: &str) -> bool {
    path.rsplit('/').next().is_some_and(|name| name.starts_with(PROCESS.as_str()))
}

async fn finish_in_store(place: &Place) -> Result<(), AdapterError> {
    let folder: Path = place.root.parts().chain(Path::from(FOLDER).parts()).collect();
    let mut waited = Duration::ZERO;
    let entries = loop {
        let mut listed: Vec<_> = match place.store.list(Some(&folder)).try_collect().await {
            Err(Error::NotFound { .. }) => Vec::new(),
            listed => listed.map_err(store_error)?,
        };
        listed.retain(|meta| !is_ours(meta.location.as_ref()));
        if listed.is_empty() || waited >= PATIENCE {
            break listed;
        }
        tokio::time::sleep(PAUSE).await;
        waited += PAUSE;
    };
    for path in entries.into_iter().map(|meta| meta.location) {
        match place.store.get(&path).await {
            Ok(found) => settle(place, path.as_ref(), &found.bytes().await.map_err(store_error)?).await?,
            Err(Error::NotFound { .. }) => continue,
            Err(error) => return Err(store_error(error)),
        }
        match place.store.delete(&path).await {
            Ok(()) | Err(Error::NotFound { .. }) => {}
            Err(error) => return Err(store_error(error)),
        }
    }
    Ok(())
}

async fn settle(place: &Place, name: &str, entry: &[u8]) -> Result<(), AdapterError> {
    match serde_json::from_slice::<Plan>(entry) {
        Ok(plan) => plan.finish(place).await,
        Err(error) => Err(refused(format!(
            "IO Error: the transaction in {name} cannot be finished: it is damaged, or of another version of medal \
             ({error}); delete the file to go on with the tables as they are"
        ))),
    }
}
