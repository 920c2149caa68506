//! `medal init`: starts a small medallion project in a new folder.

use std::io::Write;
use std::path::Path;

use include_dir::{Dir, include_dir};

use crate::cli::arguments::InitOptions;
use crate::cli::workspace::Exit;
use crate::diagnostic::nearest;

static MEDALLION: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/templates/init");
static COMMERCE: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/templates/commerce");

/// The templates there are; the first is the default.
static TEMPLATES: [(&str, &Dir<'static>); 2] = [("medallion", &MEDALLION), ("commerce", &COMMERCE)];

/// Writes the files of the template; a folder that is not empty is left as it is.
pub fn init(options: &InitOptions) -> Result<Exit, Exit> {
    let name = options.name.as_deref().unwrap_or("my_project");
    let problem = |message: String| {
        let _ = writeln!(std::io::stderr(), "error: {message}");
        Exit::Unusable
    };
    let valid = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if !valid {
        return Err(problem(format!("`{name}` cannot name a project: use letters, digits and `_`")));
    }
    let wanted = options.template.as_deref().unwrap_or(TEMPLATES[0].0);
    let Some((_, template)) = TEMPLATES.iter().find(|(name, _)| *name == wanted) else {
        let known = TEMPLATES.map(|(name, _)| name);
        let help = nearest(wanted, known).map_or_else(
            || format!("; the templates are {}", known.join(" and ")),
            |near| format!("; did you mean `{near}`?"),
        );
        return Err(problem(format!("no template is called `{wanted}`{help}")));
    };
    let folder = Path::new(name);
    if std::fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_some()) {
        return Err(problem(format!("the folder `{name}` is not empty")));
    }
    write(template, folder, name).map_err(|error| problem(format!("cannot write into `{name}`: {error}")))?;
    let _ = writeln!(std::io::stderr(), "wrote {name}/; next: cd {name} && medal build");
    Ok(Exit::Fine)
}

fn write(dir: &Dir<'_>, folder: &Path, name: &str) -> std::io::Result<()> {
    std::fs::create_dir_all(folder.join(dir.path()))?;
    for file in dir.files() {
        // Cargo would leave a real `.gitignore` out of the package.
        let path = file.path().to_string_lossy().replace("gitignore", ".gitignore");
        let text = String::from_utf8_lossy(file.contents()).replace("NAME", name);
        std::fs::write(folder.join(path), text)?;
    }
    dir.dirs().try_for_each(|dir| write(dir, folder, name))
}
