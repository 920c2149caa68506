//! Turns `.dbtignore` into an answer: which files of a package are not read.

use std::path::Path;

use ignore::gitignore::{Gitignore, GitignoreBuilder};

/// The patterns, one matcher each. Unlike in `.gitignore`, the last pattern that matches a file or a folder above it
/// decides, so `!macros/` brings back all that is below a folder that `*` has left out.
/// Source: the library `pathspec`, which dbt asks.
pub struct Ignored(Vec<Gitignore>);

impl Ignored {
    /// Reads the file of a package's folder; without one, nothing is ignored.
    pub fn of(dir: &Path) -> Ignored {
        let text = std::fs::read_to_string(dir.join(".dbtignore")).unwrap_or_default();
        let pattern = |line: &str| {
            let mut builder = GitignoreBuilder::new(dir);
            builder.add_line(None, line).ok()?;
            builder.build().ok().filter(|pattern| !pattern.is_empty())
        };
        Ignored(text.lines().filter_map(pattern).collect())
    }

    pub fn has(&self, path: &Path) -> bool {
        let mut matches = self.0.iter().rev().map(|pattern| pattern.matched_path_or_any_parents(path, false));
        matches.find(|found| !found.is_none()).is_some_and(|found| found.is_ignore())
    }
}

#[cfg(test)]
mod tests {
    use super::Ignored;

    #[test]
    fn the_last_pattern_that_matches_a_file_or_its_folder_decides() {
        let folder = tempfile::tempdir().unwrap();
        let patterns =
            "*\n!macros/\nmacros/x/**\n!macros/x/keep.sql\n!models/\n/models/a*.sql\n# none\n!seeds/k.csv\ndir\n";
        std::fs::write(folder.path().join(".dbtignore"), patterns).unwrap();
        let ignored = Ignored::of(folder.path());
        let left: Vec<&str> = [
            "macros/ols.sql",
            "macros/deep/ols.sql",
            "sub/macros/q.sql",
            "macros/x/keep.sql",
            "models/b.sql",
            "seeds/k.csv",
            "macros/x/y.sql",
            "models/a1.sql",
            "seeds/j.csv",
            "models/dir/z.sql",
        ]
        .into_iter()
        .filter(|path| !ignored.has(&folder.path().join(path)))
        .collect();
        let read = [
            "macros/ols.sql",
            "macros/deep/ols.sql",
            "sub/macros/q.sql",
            "macros/x/keep.sql",
            "models/b.sql",
            "seeds/k.csv",
        ];
        assert_eq!(left, read);
        assert!(!Ignored::of(&folder.path().join("none")).has(&folder.path().join("none/a.sql")));
    }
}
