//! Turns what is known of a run, a job or a dataset into a facet: an object that says who made it and by which schema.

use serde_json::{Value as Json, json};

/// Who makes the events.
pub const PRODUCER: &str = concat!("https://crates.io/crates/medal/", env!("CARGO_PKG_VERSION"));

/// Versions and names of the facets' schemas. Source: <https://openlineage.io/docs/spec/facets/>.
const SCHEMAS: [(&str, &str, &str); 12] = [
    ("columnLineage", "1-2-0", "ColumnLineageDatasetFacet"),
    ("dataQualityAssertions", "1-1-0", "DataQualityAssertionsDatasetFacet"),
    ("dataSource", "1-0-1", "DatasourceDatasetFacet"),
    ("documentation", "1-1-0", "DocumentationDatasetFacet"),
    ("documentation_job", "1-1-0", "DocumentationJobFacet"),
    ("errorMessage", "1-0-1", "ErrorMessageRunFacet"),
    ("jobType", "2-0-4", "JobTypeJobFacet"),
    ("outputStatistics", "1-0-2", "OutputStatisticsOutputDatasetFacet"),
    ("parent", "1-2-0", "ParentRunFacet"),
    ("processing_engine", "1-1-1", "ProcessingEngineRunFacet"),
    ("schema", "1-2-0", "SchemaDatasetFacet"),
    ("sql", "1-1-0", "SQLJobFacet"),
];

/// A facet with these fields.
pub fn facet(name: &str, fields: Json) -> Json {
    let known = SCHEMAS.iter().find(|(known, ..)| *known == name);
    let (_, version, schema) = known.expect("every facet that medal writes has a schema");
    let url = format!("https://openlineage.io/spec/facets/{version}/{schema}.json#/$defs/{schema}");
    let mut facet = json!({"_producer": PRODUCER, "_schemaURL": url});
    if let (Json::Object(facet), Json::Object(fields)) = (&mut facet, fields) {
        facet.extend(fields);
    }
    facet
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::facet;

    #[test]
    fn a_facet_says_by_which_schema_it_is_to_be_read() {
        let sql = facet("sql", json!({"query": "select 1"}));
        let url = "https://openlineage.io/spec/facets/1-1-0/SQLJobFacet.json#/$defs/SQLJobFacet";
        assert_eq!((&sql["_schemaURL"], &sql["query"]), (&json!(url), &json!("select 1")));
    }
}
