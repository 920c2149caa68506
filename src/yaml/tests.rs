//! Reads YAML as dbt does, and refuses what is wrong or hostile at its place.

use super::{Yaml, parse, parse_json};
use crate::diagnostic::Diagnostics;
use crate::files::FileId;

fn read(text: &str) -> (Option<Yaml>, Vec<String>) {
    let mut sink = Diagnostics::default();
    let value = parse(FileId(0), text, &mut sink);
    (value, sink.iter().map(|problem| problem.message.clone()).collect())
}

#[test]
fn scalars_follow_yaml_1_1() {
    let (value, _) = read("[yes, 'yes', 012, 0x1F, 1_000, 1e5, 1.5, 1.0e+2, 2020-01-01, ~, -3, 1.2.3]");
    let json = value.map(|value| value.to_json().to_string()).unwrap_or_default();
    assert_eq!(json, r#"[true,"yes",10,31,1000,"1e5",1.5,100.0,"2020-01-01",null,-3,"1.2.3"]"#);
}

#[test]
fn a_key_that_stands_twice_is_reported() {
    assert_eq!(read("a: 1\nb: 2\na: 3\n").1, ["`a` stands twice here"]);
    assert!(parse_json("a: 1\nb: 2\na: 3\n").is_err());
}

#[test]
fn a_key_that_says_the_same_twice_gets_a_warning() {
    assert_eq!(read("a: [1]\na: [1]\n").1, ["`a` stands twice here"]);
    assert_eq!(parse_json("a: [1]\na: [1]\n").map(|value| value.to_string()), Ok(r#"{"a":[1]}"#.to_string()));
}

#[test]
fn indentation_inside_brackets_is_free() {
    let (value, problems) = read("a:\n    b: [\n  1, # 'ü' one\n  # two\n\n  '#', x\n]\n    c: {\n k: v\n}\nd: e\n");
    assert_eq!(problems, [""; 0]);
    let json = value.as_ref().map(|value| value.to_json().to_string()).unwrap_or_default();
    assert_eq!(json, r##"{"a":{"b":[1,"#","x"],"c":{"k":"v"}},"d":"e"}"##);
    let place = value.as_ref().and_then(|value| value.get("d")).map(|last| last.span.range());
    assert_eq!(place, Some(68..69));
    assert_eq!(read("a: {\r\n  b: [\r\n  1\r\n]\r\n}\r\n").1, [""; 0]);
}

#[test]
fn a_block_at_the_end_of_a_file_ends_as_the_file_does() {
    let text = |yaml: &str| parse_json(yaml).map(|json| json["a"].as_str().unwrap_or_default().to_string());
    assert_eq!(text("b: |\n  c\na: |\n  one\n  two"), Ok("one\ntwo".to_string()));
    assert_eq!(text("a: >\n  one\n  two\n"), Ok("one two\n".to_string()));
    assert_eq!(text("a: |\n  one\nb: 1"), Ok("one\n".to_string()));
}

#[test]
fn the_place_of_a_block_ends_with_its_last_line() {
    let text = "a: |\n  one\n\n  two\n\nb: >\n  three\n";
    let (value, _) = read(text);
    let place = |key: &str| value.as_ref().and_then(|value| value.get(key)).map(|block| &text[block.span.range()]);
    assert_eq!(place("a").map(str::trim_start), Some("one\n\n  two"));
    assert_eq!(place("b").map(str::trim_start), Some("three"));
}

#[test]
fn indentation_outside_of_brackets_is_not() {
    assert_eq!(read("a:\n    b: 1\n  c: 2\n").1.len(), 1);
    assert_eq!(read("a:\n  b: [\n  1\nc: 2\n").1.len(), 1);
}

#[test]
fn a_merge_key_fills_what_is_missing() {
    let (value, problems) = read("base: &b {x: 1, y: 2}\nuse: {<<: *b, y: 3}\n");
    assert_eq!(problems, [""; 0]);
    let json = value.map(|value| value.to_json().to_string()).unwrap_or_default();
    assert_eq!(json, r#"{"base":{"x":1,"y":2},"use":{"y":3,"x":1}}"#);
}

#[test]
fn a_yaml_bomb_is_refused_quickly() {
    let mut text = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for level in 1..12 {
        let parent = format!("*a{}, ", level - 1).repeat(10);
        text.push_str(&format!("a{level}: &a{level} [{parent}]\n"));
    }
    assert_eq!(read(&text).1, ["this file has more than 1000000 values, which medal does not read"]);
}

#[test]
fn deep_nesting_is_refused() {
    assert_eq!(read(&"[".repeat(5000)).1.len(), 1);
}

#[test]
fn places_count_bytes_after_other_letters() {
    let (value, _) = read("ü: x\nname: orders\n");
    let place = value.as_ref().and_then(|value| value.get("name")).map(|name| name.span.range());
    assert_eq!(place, Some(12..18));
}
