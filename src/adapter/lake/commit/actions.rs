//! Turns the actions of Delta Lake that a transaction has staged for a table into one commit.

use std::collections::BTreeMap;

use bytes::Bytes;
use deltalake_core::DeltaTable;
use deltalake_core::kernel::Action;
use serde_json::{Map, Value as Json};

use crate::adapter::AdapterError;
use crate::adapter::lake::error::{delta_error, refused};

/// What the id of a run is called in a commit.
pub const RUN_ID: &str = "runId";

/// Actions of Delta Lake that are written as one.
#[derive(Debug, Default)]
pub struct Commit {
    actions: Vec<Json>,
    /// Files that were added and then removed again.
    pub garbage: Vec<String>,
}

/// The actions of which the last one of a key is what counts.
const KEYED: [(&str, &str); 5] =
    [("protocol", ""), ("metaData", ""), ("commitInfo", ""), ("txn", "appId"), ("domainMetadata", "domain")];

/// What a commit is called that changes no row. It does not tell of one that does.
const OF_METADATA: [&str; 4] =
    ["ADD CONSTRAINT", "SET TBLPROPERTIES", "UPDATE FIELD METADATA", "UPDATE TABLE METADATA"];

impl Commit {
    /// What stands in a log.
    pub fn read(text: &Bytes) -> Commit {
        Commit { actions: actions(text), garbage: Vec::new() }
    }

    /// Several commits, in order, as one.
    pub fn merge(commits: &[Bytes]) -> Commit {
        if let [one] = commits {
            return Commit::read(one);
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
                let key = (rank, text(KEYED[rank].1));
                if !(keyed.contains_key(&key) && OF_METADATA.contains(&text("operation").as_str())) {
                    keyed.insert(key, action);
                }
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
    pub fn of_run(mut self, run_id: Option<&String>) -> Commit {
        let told = self.actions.iter_mut().filter_map(|action| action.get_mut("commitInfo")?.as_object_mut());
        for (info, id) in told.zip(run_id) {
            info.insert(RUN_ID.to_string(), id.as_str().into());
        }
        self
    }

    /// The same, in the place of a table that is there: its files are removed, and it stays the same table.
    pub fn replace(&mut self, before: &DeltaTable) -> Result<(), AdapterError> {
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
    pub fn only_adds(&self) -> bool {
        !self.has(&["remove", "metaData", "protocol"])
    }

    /// Whether others may not add rows beside it.
    pub fn is_new_layout(&self) -> bool {
        self.has(&["metaData", "protocol"])
    }

    /// Whether a table holds other rows, or other columns, than before.
    pub fn is_news(&self) -> bool {
        let files = self.actions.iter().filter_map(|action| action.get("add").or(action.get("remove")));
        self.is_new_layout() || files.into_iter().any(|file| file.get("dataChange") != Some(&Json::Bool(false)))
    }

    /// As it stands in a log.
    pub fn text(&self) -> String {
        let lines: Vec<String> = self.actions.iter().map(Json::to_string).collect();
        lines.join("\n")
    }

    fn has(&self, names: &[&str]) -> bool {
        self.actions.iter().filter_map(Json::as_object).flat_map(Map::keys).any(|name| names.contains(&name.as_str()))
    }
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
            {"commitInfo":{"operation":"CREATE TABLE"}}
            {"add":{"path":"a"}}"#,
            r#"{"remove":{"path":"a"}}
            {"commitInfo":{"operation":"WRITE"}}
            {"remove":{"path":"old"}}
            {"add":{"path":"b"}}"#,
            r#"{"metaData":{"id":"1"}}
            {"commitInfo":{"operation":"UPDATE FIELD METADATA"}}"#,
        ];
        let merged = Commit::merge(&commits.map(Bytes::from));
        let lines: Vec<String> = merged.actions.iter().map(ToString::to_string).collect();
        let expected = [
            r#"{"metaData":{"id":"1"}}"#,
            r#"{"commitInfo":{"operation":"WRITE"}}"#,
            r#"{"add":{"path":"b"}}"#,
            r#"{"remove":{"path":"old"}}"#,
        ];
        assert_eq!(lines, expected);
        assert_eq!(merged.garbage, ["a"]);
    }
}
