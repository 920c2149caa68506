//! Turns compiled nodes into files below `target/compiled` and `target/run`, where dbt puts them.

use std::io::{self, ErrorKind};
use std::path::{Component, Path, PathBuf};

use crate::artifact::write::hide;
use crate::compile::CompiledNode;
use crate::manifest::{Kind, Node};
use crate::run::BatchSql;

/// Writes the SQL of a node as the user would run it; for snapshots dbt has no such file.
pub fn write_compiled(target: &Path, node: &Node, compiled: &CompiledNode, secrets: &[String]) -> io::Result<()> {
    if matches!(node.kind, Kind::Snapshot) {
        return Ok(());
    }
    write(target, "compiled", node, &compiled.sql, secrets)
}

/// Writes the SQL that built or tested a node, the statements of its materialization included.
pub fn write_run(target: &Path, node: &Node, sql: &str, secrets: &[String]) -> io::Result<()> {
    write(target, "run", node, sql, secrets)
}

/// Writes the SQL of a batch, as it was compiled and as it was sent, into a folder of the model's name.
pub fn write_batch(target: &Path, node: &Node, sql: &BatchSql, secrets: &[String]) -> io::Result<()> {
    let path = path_of(node);
    let stem = path.strip_suffix(".sql").unwrap_or(&path);
    let path = format!("{stem}/{}_{}.sql", node.name, sql.batch.name());
    write_at(target, "compiled", node, &path, &sql.compiled, secrets)?;
    sql.sent.iter().try_for_each(|sent| write_at(target, "run", node, &path, sent, secrets))
}

/// `models/orders.sql`; what is written inside another file goes into a folder of that file's name:
/// `models/schema.yml/unique_orders_id.sql`.
pub fn path_of(node: &Node) -> String {
    let name = |path: &str| path.rsplit('/').next().map(str::to_string);
    if name(&node.path) == name(&node.original_path) {
        node.original_path.clone()
    } else {
        format!("{}/{}", node.original_path, node.path)
    }
}

fn write(target: &Path, folder: &str, node: &Node, sql: &str, secrets: &[String]) -> io::Result<()> {
    write_at(target, folder, node, &path_of(node), sql, secrets)
}

fn write_at(target: &Path, folder: &str, node: &Node, path: &str, sql: &str, secrets: &[String]) -> io::Result<()> {
    let path = below(&target.join(folder), &format!("{}/{path}", node.package))?;
    let text = hide(sql, secrets);
    match std::fs::write(&path, text.as_bytes()) {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            path.parent().map_or(Ok(()), std::fs::create_dir_all)?;
            std::fs::write(&path, text.as_bytes())
        }
        written => written,
    }
}

/// Names of tests and packages are the user's, so they could climb out of the folder.
fn below(folder: &Path, path: &str) -> io::Result<PathBuf> {
    let stays = Path::new(path).components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
    if stays {
        Ok(folder.join(path))
    } else {
        Err(io::Error::new(ErrorKind::InvalidInput, format!("`{path}` leaves the target folder")))
    }
}

#[cfg(test)]
mod tests {
    use super::{path_of, write_run};
    use crate::compile::context::tests::node;
    use crate::manifest::Kind;

    #[test]
    fn what_yaml_holds_goes_into_a_folder_of_the_files_name() {
        let mut test = node("unique_orders_id", Kind::SingularTest);
        test.original_path = "models/schema.yml".to_string();
        test.path = "unique_orders_id.sql".to_string();
        assert_eq!(path_of(&test), "models/schema.yml/unique_orders_id.sql");
        assert_eq!(path_of(&node("orders", Kind::Model)), "models/orders.sql");
    }

    #[test]
    fn a_name_cannot_climb_out_of_the_target_folder() {
        let folder = tempfile::tempdir().unwrap();
        let mut test = node("x", Kind::SingularTest);
        write_run(folder.path(), &test, "select 1", &[]).unwrap();
        assert_eq!(std::fs::read_to_string(folder.path().join("run/shop/models/x.sql")).unwrap(), "select 1");
        test.path = "../../../../x2.sql".to_string();
        assert!(write_run(folder.path(), &test, "select 1", &[]).is_err());
    }
}
