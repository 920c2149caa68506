//! Which value a variable has for the nodes of a package.

use crate::jinja::JsonMap;

/// All variables that a package sees: `--vars` beat the root project's section for the package, which beats the
/// root project's own, which beat the package's.
/// Source: <https://docs.getdbt.com/docs/build/project-variables>.
pub fn visible(package: &str, root: &JsonMap, own: &JsonMap, cli: &JsonMap) -> JsonMap {
    let mut vars = JsonMap::new();
    for level in [own, root] {
        vars.extend(level.iter().map(|(name, value)| (name.clone(), value.clone())));
        if let Some(section) = level.get(package).and_then(|section| section.as_object()) {
            vars.extend(section.iter().map(|(name, value)| (name.clone(), value.clone())));
        }
    }
    vars.extend(cli.iter().map(|(name, value)| (name.clone(), value.clone())));
    vars
}
