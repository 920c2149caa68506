//! Turns the Index, as JSON, into the two scripts that the site reads: facts for every page, and code when it is asked for.
//!
//! Scripts, because a page that is opened from a folder may load scripts beside it but nothing else. They hold one
//! packed JSON text each: no part of a project is ever read as a program, and 5,000 models take few megabytes.

use std::collections::BTreeMap;
use std::io;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value as Json, json};

use crate::site::prose;

/// `data.js` and `code.js`.
pub struct Scripts {
    pub facts: String,
    pub code: String,
}

/// Cuts the document: Markdown becomes HTML, ids of other nodes become places in the list, code goes into a file of its own.
pub fn scripts(mut index: Json) -> io::Result<Scripts> {
    let nodes = index["nodes"].as_array_mut().map(std::mem::take).unwrap_or_default();
    let places: BTreeMap<String, usize> =
        nodes.iter().enumerate().filter_map(|(place, node)| Some((node["id"].as_str()?.to_string(), place))).collect();
    let (nodes, code): (Vec<Json>, Vec<Json>) = nodes.into_iter().map(|node| cut(node, &places)).unzip();
    index["nodes"] = Json::Array(nodes);
    show_markdown(&mut index["project"], "overview");
    Ok(Scripts { facts: script("medalFacts", &index)?, code: script("medalCode", &Json::Array(code))? })
}

/// A node for the pages, and its code: as written, and as compiled if that is another text.
fn cut(mut node: Json, places: &BTreeMap<String, usize>) -> (Json, Json) {
    for key in ["parents", "macros"] {
        if let Some(ids) = node.get_mut(key) {
            let known = ids.as_array().into_iter().flatten().filter_map(|id| places.get(id.as_str()?));
            *ids = known.map(|place| json!(place)).collect();
        }
    }
    if let Some(on) = node.get_mut("test").and_then(|test| test.get_mut("on")) {
        *on = on.as_str().and_then(|id| places.get(id)).map_or(Json::Null, |place| json!(place));
    }
    let reasons = node.get_mut("quarantine").and_then(|quarantine| quarantine.get_mut("reasons"));
    for test in reasons.and_then(Json::as_array_mut).into_iter().flatten().filter_map(|reason| reason.get_mut("test")) {
        *test = test.as_str().and_then(|id| places.get(id)).map_or(Json::Null, |place| json!(place));
    }
    show_markdown(&mut node, "description");
    if let Some(source) = node.get_mut("source") {
        show_markdown(source, "description");
    }
    for list in ["columns", "arguments"] {
        let items = node.get_mut(list).and_then(Json::as_array_mut);
        items.into_iter().flatten().for_each(|item| show_markdown(item, "description"));
    }
    let mut take = |key: &str| node.as_object_mut().and_then(|node| node.shift_remove(key)).unwrap_or(json!(""));
    let (raw, compiled) = (take("raw_code"), take("compiled_code"));
    let code = match (raw.as_str(), compiled.as_str()) {
        (Some(""), Some("")) => json!(0),
        (raw_text, compiled_text) if raw_text == compiled_text => json!([raw]),
        _ => json!([raw, compiled]),
    };
    (node, code)
}

fn show_markdown(holder: &mut Json, key: &str) {
    if let Some(text) = holder.get_mut(key) {
        *text = Json::from(prose::html(text.as_str().unwrap_or_default()));
    }
}

/// A script that does nothing but name a JSON text, packed: gzip, then base64, so that nothing in it means anything.
fn script(name: &str, value: &Json) -> io::Result<String> {
    let mut packed = GzEncoder::new(Vec::new(), Compression::default());
    serde_json::to_writer(&mut packed, value)?;
    Ok(format!("\"use strict\";var {name}=\"{}\";\n", STANDARD.encode(packed.finish()?)))
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;
    use flate2::read::GzDecoder;
    use serde_json::{Value as Json, json};

    use super::{Scripts, scripts};

    fn read(script: &str, name: &str) -> Json {
        let packed = script.strip_prefix("\"use strict\";var ").and_then(|script| script.strip_prefix(name)).unwrap();
        let packed = packed.strip_prefix("=\"").and_then(|packed| packed.strip_suffix("\";\n")).unwrap();
        let mut text = String::new();
        GzDecoder::new(STANDARD.decode(packed).unwrap().as_slice()).read_to_string(&mut text).unwrap();
        serde_json::from_str(&text).unwrap()
    }

    fn cut(nodes: Json) -> (Json, Json) {
        let Scripts { facts, code } = scripts(json!({"nodes": nodes})).unwrap();
        (read(&facts, "medalFacts")["nodes"].clone(), read(&code, "medalCode"))
    }

    #[test]
    fn descriptions_become_html_and_code_goes_into_its_own_file() {
        let (nodes, code) = cut(json!([
            {"id": "a", "description": "*x* <b>", "raw_code": "select 1", "compiled_code": "select 1"},
            {"id": "b", "columns": [{"name": "c", "description": "y"}], "raw_code": "1", "compiled_code": "2"},
        ]));
        let expected = json!([
            {"id": "a", "description": "<p><em>x</em> &lt;b&gt;</p>"},
            {"id": "b", "columns": [{"name": "c", "description": "<p>y</p>"}]},
        ]);
        assert_eq!((nodes, code), (expected, json!([["select 1"], ["1", "2"]])));
    }

    #[test]
    fn nodes_name_each_other_by_their_places() {
        let (nodes, code) = cut(json!([
            {"id": "a", "quarantine": {"reasons": [{"code": "x", "test": "b"}, {"code": "y", "test": "gone"}]}},
            {"id": "b", "parents": ["gone", "a"], "test": {"on": "a"}},
        ]));
        let expected = json!([
            {"id": "a", "quarantine": {"reasons": [{"code": "x", "test": 1}, {"code": "y", "test": null}]}},
            {"id": "b", "parents": [0], "test": {"on": 0}},
        ]);
        assert_eq!(nodes, expected);
        assert_eq!(code, json!([0, 0]));
    }
}
