//! What the docs site is made of, and who may see it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::Child;
use std::time::{Duration, Instant};

use serde_json::{Value as Json, json};

use crate::suite::support::{Project, dbt};

/// A name, a description and SQL that would be scripts if anything believed them.
const HOSTILE: &str = "</script><script>alert(1)</script><img src=x onerror=alert(1)>";

fn project() -> Project {
    let yaml = format!(
        "version: 2\nmodels:\n  - name: orders\n    description: One row an order. {HOSTILE}\n    config: {{tags: [daily], meta: \
         {{owner: \"{HOSTILE}\"}}}}\n    columns:\n      - name: id\n        description: The key.\n        data_tests: [unique]\n      - \
         {{name: gone, description: Not there}}\nexposures:\n  - {{name: board, label: Board, type: dashboard, owner: {{name: Sales}}, \
         depends_on: [ref('orders')]}}\n"
    );
    let docs = format!("{{% docs __overview__ %}}# Shop\n{HOSTILE}{{% enddocs %}}\n");
    dbt(&[
        ("seeds/items.csv", "id\n1\n1\n"),
        (
            "models/orders.sql",
            "{{ config(materialized='table') }}\nselect id, 1.5 as price from {{ ref('items') }} -- </script>",
        ),
        ("models/all.yml", &yaml),
        ("models/docs.md", &docs),
        ("macros/money.sql", "{% macro money(x) %}{{ x }} / 100{% endmacro %}"),
    ])
}

fn node<'a>(index: &'a Json, id: &str) -> &'a Json {
    index["nodes"].as_array().unwrap().iter().find(|node| node["id"] == id).unwrap()
}

#[test]
fn index_json_has_what_is_written_what_is_built_and_what_happened() {
    let project = project();
    project.ends(1, &["build"]);
    project.ends(0, &["docs", "generate"]);
    let index = project.json("target/index.json");
    assert_eq!(index["medal_index"], 1);
    assert_eq!(index["project"]["name"], "shop");
    assert_eq!(index["run"]["command"], "build");
    let orders = node(&index, "model.shop.orders");
    let columns = json!([
        {"name": "id", "type": "INTEGER", "description": "The key."},
        {"name": "price", "type": "DECIMAL(2,1)"},
        {"name": "gone", "description": "Not there", "absent": true},
    ]);
    assert_eq!(orders["columns"], columns);
    assert_eq!(orders["parents"], json!(["seed.shop.items"]));
    assert_eq!(orders["tags"], json!(["daily"]));
    assert_eq!(orders["result"]["status"], "success");
    assert!(orders["compiled_code"].as_str().unwrap().contains("\"shop\".\"main\".\"items\""));
    let test = index["nodes"].as_array().unwrap().iter().find(|node| node["kind"] == "test").unwrap();
    assert_eq!(test["test"], json!({"name": "unique", "column": "id", "on": "model.shop.orders", "severity": "ERROR"}));
    assert_eq!((&test["result"]["status"], &test["result"]["failures"]), (&json!("fail"), &json!(1)));
    assert_eq!(node(&index, "exposure.shop.board")["exposure"]["owner"]["name"], "Sales");
    let macros: Vec<&Json> = index["nodes"].as_array().unwrap().iter().filter(|node| node["kind"] == "macro").collect();
    assert_eq!(macros.len(), 1, "{macros:?}");
}

#[test]
fn a_unit_test_says_which_rows_it_gives_and_expects() {
    let yaml = "
unit_tests:
  - name: doubles
    model: orders
    given:
      - {input: ref('items'), rows: [{id: 1}, {id: null}]}
      - {input: ref('more'), format: csv, rows: \"id\\n3\\n\"}
    expect: {format: sql, rows: select 2 as id}
";
    let project = dbt(&[
        ("models/items.sql", "select 1 as id"),
        ("models/more.sql", "select 1 as id"),
        ("models/orders.sql", "select id * 2 as id from {{ ref('items') }} union all select id from {{ ref('more') }}"),
        ("models/all.yml", yaml),
    ]);
    project.ends(0, &["docs", "generate"]);
    let index = project.json("target/index.json");
    let expected = json!({
        "on": "model.shop.orders",
        "given": [
            {"input": "ref('items')", "rows": [{"id": 1}, {"id": null}]},
            {"input": "ref('more')", "rows": [{"id": "3"}]},
        ],
        "expect": {"rows": "select 2 as id"},
    });
    assert_eq!(node(&index, "unit_test.shop.orders.doubles")["test"], expected);
}

#[test]
fn nothing_of_a_project_is_written_into_the_pages_as_it_is() {
    let project = project();
    project.ends(0, &["docs", "generate", "--empty-catalog"]);
    let mut files: Vec<String> = Vec::new();
    for entry in std::fs::read_dir(project.path().join("target/site")).unwrap().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let text = std::fs::read_to_string(entry.path()).unwrap();
        assert!(!text.contains("alert(1)"), "{name}");
        // Nothing is loaded from elsewhere: the one address in it is the name of the language of drawings.
        let hosts = text.match_indices("://").filter(|(at, _)| !text[*at..].starts_with("://www.w3.org/2000/svg"));
        assert_eq!(hosts.count(), 0, "{name}");
        files.push(name);
    }
    files.sort();
    assert_eq!(files, ["app.js", "code.js", "data.js", "index.html", "style.css"]);
    let page = project.read("target/site/index.html");
    assert!(page.contains("default-src 'none'; script-src 'self'; style-src 'self';"), "{page}");
}

#[test]
fn the_same_project_gives_the_same_site() {
    let project = project();
    let site = || {
        project.ends(0, &["docs", "generate", "--empty-catalog"]);
        let mut index = project.json("target/index.json");
        index["generated_at"] = Json::Null;
        (index, project.read("target/site/code.js"))
    };
    assert_eq!(site(), site());
}

#[test]
fn a_secret_of_the_environment_is_not_in_the_site() {
    let project = project();
    project.write("models/orders.sql", "select '{{ env_var('MARK') }}' as id from {{ ref('items') }}");
    project.write("macros/said.sql", "{% macro said() %} tok-8731 {% endmacro %}");
    let mut command = project.command(&["docs", "generate", "--empty-catalog"]);
    let output = command.env("MARK", "tok-8731").env("DBT_ENV_SECRET_MARK", "tok-8731").output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let index = project.read("target/index.json");
    assert!(!index.contains("tok-8731") && index.contains("*****"));
}

/// `medal docs serve`, which ends with the test.
struct Served {
    child: Child,
    port: u16,
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Served {
    fn start(project: &Project) -> Served {
        let mut command = project.command(&["docs", "serve", "--port", "0", "--no-browser"]);
        let (said, out) = std::io::pipe().unwrap();
        let child = command.stdout(out.try_clone().unwrap()).stderr(out).spawn().unwrap();
        drop(command);
        let said = BufReader::new(said).lines().map_while(Result::ok).find(|line| line.contains("http://"));
        let port = said.and_then(|line| line.split("127.0.0.1:").nth(1)?.split(',').next()?.parse().ok());
        Served { child, port: port.unwrap() }
    }

    fn connect(&self) -> TcpStream {
        let connection = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        connection.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        connection
    }

    /// The answer to a request, as it is sent.
    fn say(&self, request: &str) -> String {
        let mut connection = self.connect();
        connection.write_all(request.as_bytes()).unwrap();
        let mut answer = Vec::new();
        let _ = connection.read_to_end(&mut answer);
        String::from_utf8_lossy(&answer).into_owned()
    }

    fn get(&self, path: &str) -> String {
        self.say(&format!("GET {path} HTTP/1.1\r\nHost: localhost:{}\r\n\r\n", self.port))
    }
}

#[test]
fn the_site_is_served_to_this_machine_and_nothing_beside_it() {
    let project = project();
    project.ends(0, &["docs", "generate", "--empty-catalog"]);
    let served = Served::start(&project);
    let page = served.get("/");
    assert!(page.starts_with("HTTP/1.1 200 OK\r\nContent-Type: text/html"), "{page}");
    for header in
        ["X-Content-Type-Options: nosniff", "Content-Security-Policy: default-src 'none'", "frame-ancestors 'none'"]
    {
        assert!(page.contains(header), "{page}");
    }
    assert!(served.get("/data.js").contains("medalFacts"));
    for path in
        ["/manifest.json", "/../manifest.json", "/..%2fmanifest.json", "/site/", "/.", "//etc/passwd", "/data.js/"]
    {
        assert!(served.get(path).starts_with("HTTP/1.1 404"), "{path}");
    }
    let bent = served.say("GET / HTTP/1.1\r\nHost: rebound.example.org\r\n\r\n");
    assert!(bent.starts_with("HTTP/1.1 421") && !bent.contains("html>"), "{bent}");
    assert!(served.say("POST / HTTP/1.1\r\nHost: localhost\r\n\r\n").starts_with("HTTP/1.1 405"));
    assert!(served.say("\u{16}\u{3}nonsense\r\n\r\n").starts_with("HTTP/1.1 400"));
}

#[cfg(unix)]
#[test]
fn a_link_in_the_folder_of_the_site_leads_nowhere() {
    let project = project();
    project.ends(0, &["docs", "generate", "--empty-catalog"]);
    let code = project.path().join("target/site/code.js");
    std::fs::remove_file(&code).unwrap();
    std::os::unix::fs::symlink(project.path().join("dbt_project.yml"), &code).unwrap();
    assert!(Served::start(&project).get("/code.js").starts_with("HTTP/1.1 404"));
}

#[test]
fn slow_clients_delay_nobody() {
    let project = project();
    project.ends(0, &["docs", "generate", "--empty-catalog"]);
    let served = Served::start(&project);
    let slow: Vec<TcpStream> = (0..100)
        .map(|_| {
            let mut connection = served.connect();
            connection.write_all(b"GET / HTTP/1.1\r\nHost: loc").unwrap();
            connection
        })
        .collect();
    let begin = Instant::now();
    assert!(served.get("/").starts_with("HTTP/1.1 200"));
    // Before the time of the slow ones is up.
    assert!(begin.elapsed() < Duration::from_secs(10), "{:?}", begin.elapsed());
    let mut last = slow.into_iter().next_back().unwrap();
    let mut answer = String::new();
    let _ = last.read_to_string(&mut answer);
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
}

#[test]
fn docs_are_served_on_this_machine_only_and_only_if_they_are_there() {
    let project = project();
    let refused = project.ends(2, &["docs", "serve", "--no-browser", "--port", "0"]).all();
    assert!(
        refused.contains("there is no docs site in `target/site`") && refused.contains("medal docs generate"),
        "{refused}"
    );
    project.ends(0, &["docs", "generate", "--empty-catalog"]);
    let refused = project.ends(2, &["docs", "serve", "--no-browser", "--host", "0.0.0.0"]).all();
    assert!(refused.contains("`0.0.0.0` is no address of this machine itself"), "{refused}");
    let taken = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let refused = project.ends(2, &["docs", "serve", "--no-browser", "--port", &port]).all();
    assert!(refused.contains(&format!("docs cannot be served on port {port}")), "{refused}");
}
