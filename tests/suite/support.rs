//! Projects in temporary folders, and the medal binary run on them.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// A project in a temporary folder, which goes away with it.
pub struct Project {
    dir: tempfile::TempDir,
}

/// Something in an archive.
#[derive(Clone, Copy)]
pub enum Entry<'a> {
    File(&'a str),
    Link(&'a str),
}

/// What a command printed, and how it ended.
pub struct Ran {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Project {
    /// A project of the given files, each a path and a text.
    pub fn of(files: &[(&str, &str)]) -> Project {
        let project = Project { dir: tempfile::tempdir().expect("the system has a temporary folder") };
        files.iter().for_each(|(path, text)| project.write(path, text));
        project
    }

    /// A copy of a folder of this repository, without what a build leaves in it.
    pub fn copy_of(folder: &str) -> Project {
        let project = Project::of(&[]);
        copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join(folder), project.path());
        project
    }

    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    pub fn write(&self, path: &str, text: &str) {
        let path = self.path().join(path);
        std::fs::create_dir_all(path.parent().expect("a file has a folder")).expect("the folder can be made");
        std::fs::write(path, text).expect("the file can be written");
    }

    /// Writes a `.tar.gz` with one entry, whatever its path.
    pub fn pack(&self, archive: &str, path: &str, entry: Entry<'_>) {
        let file = std::fs::File::create(self.path().join(archive)).expect("the file can be made");
        let mut tar = tar::Builder::new(flate2::write::GzEncoder::new(file, flate2::Compression::fast()));
        let mut header = tar::Header::new_gnu();
        header.as_gnu_mut().expect("the header is GNU's").name[..path.len()].copy_from_slice(path.as_bytes());
        header.set_mode(0o644);
        let text = match entry {
            Entry::File(text) => text,
            Entry::Link(target) => {
                header.set_entry_type(tar::EntryType::Symlink);
                header.set_link_name_literal(target).expect("the link is short");
                ""
            }
        };
        header.set_size(text.len() as u64);
        header.set_cksum();
        tar.append(&header, text.as_bytes()).expect("the entry can be written");
        tar.into_inner().and_then(flate2::write::GzEncoder::finish).expect("the archive can be written");
    }

    pub fn read(&self, path: &str) -> String {
        std::fs::read_to_string(self.path().join(path)).expect("the file is there")
    }

    /// A command that is not started yet.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_medal"));
        command.args(arguments).current_dir(self.path()).env("HOME", self.path()).env_remove("CI");
        command.env("NO_COLOR", "1");
        command
    }

    pub fn medal(&self, arguments: &[&str]) -> Ran {
        let output = self.command(arguments).output().expect("the binary can be started");
        Ran::from(output)
    }

    /// Runs a command that may use this many seconds of the processor, whatever else the machine does; more kills it.
    pub fn medal_within(&self, seconds: u32, arguments: &[&str]) -> Ran {
        let unlimited = self.command(arguments);
        let mut limited = Command::new("sh");
        limited.arg("-c").arg(format!("ulimit -t {seconds}; exec \"$0\" \"$@\"")).arg(unlimited.get_program());
        limited.args(unlimited.get_args()).current_dir(self.path()).env_remove("CI");
        limited.envs(unlimited.get_envs().filter_map(|(name, value)| Some((name, value?))));
        let ran = Ran::from(limited.output().expect("the shell can be started"));
        assert!(ran.code.is_some(), "it was killed after {seconds} seconds: {}", ran.all());
        ran
    }

    /// Runs a command that must end with this exit code.
    pub fn ends(&self, code: i32, arguments: &[&str]) -> Ran {
        let ran = self.medal(arguments);
        assert_eq!(ran.code, Some(code), "medal {}\n{}", arguments.join(" "), ran.all());
        ran
    }

    /// A JSON file of the project.
    pub fn json(&self, path: &str) -> serde_json::Value {
        serde_json::from_str(&self.read(path)).expect("the file is JSON")
    }

    /// How each node of the last run ended, in the order of their names: `orders success`, `unique_orders_id fail 2`.
    pub fn outcomes(&self) -> Vec<String> {
        let results = self.json("target/run_results.json");
        let outcome = |result: &serde_json::Value| {
            let name = result["unique_id"].as_str().and_then(|id| id.split('.').nth(2)).unwrap_or_default();
            let failures = result["failures"].as_u64().map_or(String::new(), |count| format!(" {count}"));
            format!("{name} {}{failures}", result["status"].as_str().unwrap_or_default())
        };
        let mut outcomes: Vec<String> = results["results"].as_array().into_iter().flatten().map(outcome).collect();
        outcomes.sort();
        outcomes
    }

    /// The rows of a query on the project's warehouse, as text: a line a row, cells between bars.
    pub fn query(&self, sql: &str) -> String {
        let ran = self.medal(&["--quiet", "show", "--output", "json", "--limit", "-1", "--inline", sql]);
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        let shown: serde_json::Value = serde_json::from_str(&ran.stdout).expect("`show` prints JSON");
        let rows = shown["show"].as_array().expect("`show` prints rows").iter();
        let cell = |cell: &serde_json::Value| match cell {
            serde_json::Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        let line = |row: &serde_json::Value| {
            row.as_object().expect("a row has columns").values().map(cell).collect::<Vec<_>>().join("|")
        };
        rows.map(line).collect::<Vec<_>>().join("\n")
    }
}

impl From<Output> for Ran {
    fn from(output: Output) -> Ran {
        Ran {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

impl Ran {
    /// Both outputs, for snapshots and messages.
    pub fn all(&self) -> String {
        format!("{}{}", self.stdout, self.stderr)
    }
}

fn copy(from: &Path, to: &Path) {
    for entry in std::fs::read_dir(from).expect("the folder is there").flatten() {
        let (path, target) = (entry.path(), to.join(entry.file_name()));
        let name = entry.file_name().to_string_lossy().into_owned();
        if name == "target" || name == "logs" || name.contains(".duckdb") {
            continue;
        }
        if path.is_dir() {
            std::fs::create_dir_all(&target).expect("the folder can be made");
            copy(&path, &target);
        } else {
            std::fs::copy(&path, &target).expect("the file can be copied");
        }
    }
}

/// The two files of a small dbt project on DuckDB.
pub const DBT: [(&str, &str); 2] = [
    ("dbt_project.yml", "name: shop\nversion: '1.0'\nprofile: shop\n"),
    ("profiles.yml", "shop:\n  target: dev\n  outputs:\n    dev: {type: duckdb, path: shop.duckdb, threads: 2}\n"),
];

/// A dbt project with these files besides.
pub fn dbt(files: &[(&str, &str)]) -> Project {
    let all: Vec<(&str, &str)> = DBT.iter().chain(files).copied().collect();
    Project::of(&all)
}

/// A folder of this repository.
pub fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// A number that an environment variable may set.
pub fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}
