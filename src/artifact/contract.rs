//! Turns the contract of a model into a checksum that is the same as dbt's, so that each sees what the other changed.

use serde_json::Value as Json;

use crate::artifact::parts;
use crate::hash;
use crate::manifest::python;
use crate::manifest::{Kind, Node};

/// sha256 of columns and constraints, as Python would print them. For models only.
pub fn checksum(node: &Node) -> Option<String> {
    let enforced = node.config.get("contract")?.get("enforced")?.as_bool()?;
    if !enforced || !matches!(node.kind, Kind::Model) {
        return None;
    }
    let mut columns: Vec<_> = node.columns.values().collect();
    columns.sort_by_key(|column| &column.name);
    let mut text = String::new();
    for column in columns {
        let data_type = column.data_type.as_deref().unwrap_or("None");
        text += &format!("|{}{data_type}{}", column.name, list(&column.constraints, "ColumnLevelConstraint"));
    }
    if matches!(node.materialized(), "table" | "incremental") {
        text += node.materialized();
        text += &list(&node.constraints, "ModelLevelConstraint");
    }
    Some(hash::sha256(&text))
}

fn list(constraints: &Json, class: &str) -> String {
    let written = constraints.as_array().map_or(&[][..], Vec::as_slice);
    format!("[{}]", written.iter().filter_map(|one| object(one, class)).collect::<Vec<_>>().join(", "))
}

fn object(constraint: &Json, class: &str) -> Option<String> {
    let kind = constraint.get("type")?.as_str()?;
    let value = |key: &str, default: Json| python::repr(constraint.get(key).unwrap_or(&default));
    let texts = |key: &str| python::repr(&Json::from(parts::texts(constraint, key)));
    let mut fields = format!("type=<ConstraintType.{kind}: '{kind}'>");
    for key in ["name", "expression"] {
        fields += &format!(", {key}={}", value(key, Json::Null));
    }
    for key in ["warn_unenforced", "warn_unsupported"] {
        fields += &format!(", {key}={}", value(key, Json::Bool(true)));
    }
    fields += &format!(", to={}, to_columns={}", value("to", Json::Null), texts("to_columns"));
    if class == "ModelLevelConstraint" {
        fields += &format!(", columns={}", texts("columns"));
    }
    Some(format!("{class}({fields})"))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, json};

    use super::checksum;
    use crate::compile::context::tests::node;
    use crate::manifest::Kind;
    use crate::project::properties::ColumnInfo;

    #[test]
    fn the_checksum_is_that_of_dbt() {
        let column = |name: &str, constraints: Json| ColumnInfo {
            name: name.to_string(),
            description: String::new(),
            data_type: Some("int".to_string()),
            quote: None,
            meta: Default::default(),
            tags: Vec::new(),
            constraints,
            granularity: None,
            extra: Default::default(),
            doc_blocks: Vec::new(),
            span: None,
        };
        let mut model = node("contracted", Kind::Model);
        let config = json!({"contract": {"enforced": true}, "materialized": "table"});
        model.config.merge(config.as_object().cloned().unwrap());
        model.constraints = json!([{"type": "primary_key", "columns": ["id"]}]);
        let of_id = json!([{"type": "not_null"}, {"type": "check", "expression": "id > 0"}]);
        model.columns.insert("n".to_string(), column("n", Json::Null).into());
        model.columns.insert("id".to_string(), column("id", of_id).into());
        // Written by dbt-core 1.11.16 for the same model.
        let expected = "1c7e75398336a27c0b55410041ab1caa62937361070539db5be4a4e06cfabb33";
        assert_eq!(checksum(&model).as_deref(), Some(expected));
    }
}
