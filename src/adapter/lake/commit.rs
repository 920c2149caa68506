//! Turns what a transaction has staged into the objects that everybody sees: one commit for each table.

mod actions;
mod journal;
mod plan;

use std::collections::{BTreeMap, BTreeSet};

use crate::map::IndexMap;
use bytes::Bytes;
use futures::StreamExt;
use object_store::path::Path;
use object_store::{Error, ObjectStore};

use crate::adapter::AdapterError;
use crate::adapter::lake::commit::actions::Commit;
pub use crate::adapter::lake::commit::actions::RUN_ID;
use crate::adapter::lake::commit::journal::Turn;
pub use crate::adapter::lake::commit::journal::finish;
use crate::adapter::lake::commit::plan::{Plan, Step, below, forget, identity, is_as_seen, table};
use crate::adapter::lake::error::{is_conflict, store_error};
use crate::adapter::lake::overlay::{LOG, Staged};
use crate::adapter::lake::profile::Place;

/// Tables that nobody else may change before they are written to, with the versions that they had.
pub type Watched = BTreeMap<Path, Option<u64>>;

/// Writes what is staged, all or nothing. A table that somebody else has changed meanwhile, other than by adding rows to
/// which these are added, is a conflict; one that is watched is so in any case.
pub async fn commit(
    place: &Place,
    staged: Staged,
    run_id: Option<&String>,
    watched: &mut Watched,
) -> Result<(), AdapterError> {
    let written = written(&staged, watched);
    let (plan, garbage) = decide(place, staged, run_id, watched).await?;
    if plan.0.len() < 2 {
        plan.carry_out(place).await?;
    } else {
        let _turn = Turn::take(place).await?;
        plan.is_free(place).await?;
        let entry = journal::open(place, &plan).await?;
        let done = plan.carry_out(place).await;
        // What has failed otherwise is finished by whoever takes the next turn.
        if done.as_ref().err().is_none_or(is_conflict) {
            journal::close(place, &entry).await;
        }
        done?;
    }
    forget(place, garbage).await;
    watched.extend(written);
    Ok(())
}

/// Watches a table from now on. What has begun to be committed with its newest version is then to be seen, too.
pub async fn watch(place: &Place, path: &Path, watched: &mut Watched) -> Result<(), AdapterError> {
    let is_there = match place.store.list(Some(&path.clone().join(LOG))).next().await {
        None | Some(Err(Error::NotFound { .. })) => false,
        Some(found) => found.map(|_| true).map_err(store_error)?,
    };
    let table = if is_there { table(place, path).await? } else { None };
    watched.insert(path.clone(), table.and_then(|table| table.version()));
    finish(place).await
}

/// The watched tables that are written to, with the versions that they get.
fn written(staged: &Staged, watched: &Watched) -> Watched {
    let mut written = Watched::new();
    for (table, seen) in watched {
        if staged.objects.keys().any(|path| path.prefix_matches(table)) {
            written.insert(table.clone(), Some(seen.map_or(0, |version| version + 1)));
        } else if staged.dropped.contains(table) {
            written.insert(table.clone(), None);
        }
    }
    written
}

/// The steps of a transaction, and the files that it has made and needs no more. The table comes first that was written to
/// the longest time ago, so that what was written last, the ledger, speaks of what is there.
async fn decide(
    place: &Place,
    staged: Staged,
    run_id: Option<&String>,
    watched: &Watched,
) -> Result<(Plan, Vec<Path>), AdapterError> {
    let Staged { objects, dropped, .. } = staged;
    let mut tables: IndexMap<Path, (u64, Vec<Bytes>)> = IndexMap::default();
    let mut views = BTreeMap::new();
    for (path, (bytes, _)) in objects {
        match version(&path) {
            Some((table, version)) => {
                let (first, mut commits) = tables.shift_remove(&table).unwrap_or((version, Vec::new()));
                commits.push(bytes);
                tables.insert(table, (first, commits));
            }
            None => drop(views.insert(path, bytes)),
        }
    }
    let kept: BTreeSet<Path> = tables.keys().chain(views.keys()).cloned().collect();
    let (mut plan, mut garbage) = (Plan::default(), Vec::new());
    for (path, (mut version, commits)) in tables {
        let mut commit = Commit::merge(&commits).of_run(run_id);
        // What is dropped and made again is replaced: readers see one step, and the versions before stay.
        if dropped.contains(&path)
            && let Some(before) = table(place, &path).await?
        {
            version = before.version().map_or(0, |version| version + 1);
            commit.replace(&before)?;
        }
        garbage.extend(commit.garbage.iter().filter_map(|file| file_of(&path, file)));
        let is_watched = match watched.get(&path) {
            Some(seen) => is_as_seen(place, &path, seen.map_or(0, |seen| seen + 1)..version).await.map(|()| true)?,
            None => false,
        };
        plan.0.push(Step::Commit { table: below(place, &path), version, text: commit.text(), is_watched });
    }
    for (path, bytes) in views {
        let before = identity(place, &path).await?;
        let text = String::from_utf8_lossy(&bytes).into_owned();
        plan.0.push(Step::View { path: below(place, &path), before, text });
    }
    for path in dropped.difference(&kept) {
        let was = identity(place, path).await.unwrap_or_default();
        plan.0.push(Step::Drop { path: below(place, path), was });
    }
    Ok((plan, garbage))
}

/// Deletes the files that a transaction has written and that no log will name.
pub async fn roll_back(place: &Place, staged: Staged) {
    forget(place, staged.written.into_iter().collect()).await;
}

/// The table and the version of a commit, from the place of its log entry.
fn version(path: &Path) -> Option<(Path, u64)> {
    let version = path.filename()?.strip_suffix(".json")?.parse().ok()?;
    let parts: Vec<_> = path.parts().collect();
    let (_, table) = parts.split_last()?;
    let (log, table) = table.split_last()?;
    (log.as_ref() == LOG).then(|| (table.iter().cloned().collect(), version))
}

/// A file of a table; in logs its path is written as in an address.
fn file_of(table: &Path, file: &str) -> Option<Path> {
    Path::parse(format!("{table}/{}", Path::from_url_path(file).ok()?)).ok()
}

#[cfg(test)]
mod tests {
    use super::journal::{self, finish};
    use super::plan::{Plan, Step, identity};
    use crate::adapter::lake::profile::Place;
    use futures::StreamExt;
    use object_store::local::LocalFileSystem;
    use object_store::path::Path;
    use object_store::{ObjectStore, ObjectStoreExt};
    use std::sync::Arc;
    use url::Url;

    fn place(folder: &std::path::Path) -> Place {
        let url = Url::from_directory_path(folder).unwrap();
        let root = Path::from_url_path(url.path()).unwrap();
        Place { store: Arc::new(LocalFileSystem::new()), url, root, folder: Some(folder.to_path_buf()) }
    }

    #[tokio::test]
    async fn what_was_cut_short_is_finished_once_and_leaves_what_others_have_done_since() {
        let folder = tempfile::tempdir().unwrap();
        let place = place(folder.path());
        let path = |name: &str| Path::parse(format!("{}/main/{name}", place.root)).unwrap();
        let entry = |table: &str| Path::parse(format!("{}/_delta_log/{:020}.json", path(table), 0)).unwrap();
        let commit = |table: &str| Step::Commit {
            table: format!("main/{table}"),
            version: 0,
            text: format!(r#"{{"metaData":{{"id":"{table}"}}}}"#),
            is_watched: false,
        };
        let view = |name: &str, before: Option<&str>| Step::View {
            path: format!("main/{name}"),
            before: before.map(str::to_string),
            text: "select 1".to_string(),
        };
        let cut_short = Plan(vec![
            commit("a"),
            commit("b"),
            commit("c"),
            Step::Commit {
                table: "main/gone".to_string(),
                version: 3,
                text: r#"{"add":{"path":"x"}}"#.to_string(),
                is_watched: false,
            },
            view("v.view.sql", None),
            view("w.view.sql", Some("select 0")),
            Step::Drop { path: "main/old.view.sql".to_string(), was: Some("select 3".to_string()) },
            Step::Drop { path: "main/new.view.sql".to_string(), was: Some("select 3".to_string()) },
        ]);
        for (name, text) in [("old.view.sql", "select 3"), ("new.view.sql", "select 4"), ("w.view.sql", "select 5")] {
            place.store.put(&path(name), text.into()).await.unwrap();
        }
        journal::open(&place, &cut_short).await.unwrap();
        Plan(vec![commit("a")]).carry_out(&place).await.unwrap();
        place.store.put(&entry("c"), "theirs".into()).await.unwrap();

        finish(&place).await.unwrap();
        finish(&place).await.unwrap();
        let text = async |path: Path| {
            let found = place.store.get(&path).await.unwrap().bytes().await.unwrap();
            String::from_utf8(found.to_vec()).unwrap()
        };
        assert_eq!(text(entry("a")).await, r#"{"metaData":{"id":"a"}}"#);
        assert_eq!(text(entry("b")).await, r#"{"metaData":{"id":"b"}}"#);
        assert_eq!(text(entry("c")).await, "theirs");
        assert!(place.store.list(Some(&path("gone"))).next().await.is_none());
        assert_eq!(text(path("v.view.sql")).await, "select 1");
        assert_eq!(text(path("w.view.sql")).await, "select 5");
        assert_eq!(identity(&place, &path("old.view.sql")).await.unwrap(), None);
        assert_eq!(identity(&place, &path("new.view.sql")).await.unwrap().as_deref(), Some("select 4"));
        let entries = std::fs::read_dir(folder.path().join("_medal/commits")).unwrap().flatten();
        assert_eq!(entries.map(|entry| entry.file_name()).collect::<Vec<_>>(), [".lock"]);
    }
}
