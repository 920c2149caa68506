use std::io::sink;

use insta::assert_snapshot;

use crate::cli::report::problem::render;
use crate::cli::report::screen::Screen;
use crate::diagnostic::Diagnostic;
use crate::diagnostic::code::Code;
use crate::files::{FileId, ProjectFiles, Span};

fn shown(text: &str, make: impl Fn(FileId) -> Diagnostic) -> String {
    let files = ProjectFiles::new("/p");
    let file = files.add("models/orders.sql", text);
    screened(&make(file), &files, &[])
}

fn screened(diagnostic: &Diagnostic, files: &ProjectFiles, secrets: &[&str]) -> String {
    let screen = Screen::new(Box::new(sink()), Box::new(sink()), None);
    screen.add_secrets(secrets.iter().map(|secret| secret.to_string()));
    screen.redact(&render(diagnostic, files, &screen, false))
}

/// A problem at the first place where `part` stands.
fn at(text: &str, part: &str) -> String {
    let start = text.find(part).expect("the part is in the text");
    shown(text, |file| {
        Diagnostic::error(Code::SqlError, Span::new(file, start..start + part.len()), "no such thing").label("here")
    })
}

#[test]
fn a_problem_shows_code_place_caret_label_and_help() {
    let text = "select *\nfrom {{ ref('stg_customers') }}\nleft join {{ ref('stg_order') }} using (order_id)\n";
    let start = text.find("'stg_order'").unwrap();
    let shown = shown(text, |file| {
        let message = "model `orders` refers to `stg_order`, which does not exist";
        Diagnostic::error(Code::UnknownRef, Span::new(file, start..start + 11), message)
            .label("no model, seed or snapshot has this name")
            .help("did you mean `stg_orders` (models/staging/stg_orders.sql)?")
    });
    assert_snapshot!(shown, @r#"
    error[unknown-ref]: model `orders` refers to `stg_order`, which does not exist
     --> models/orders.sql:3:18
      |
    3 | left join {{ ref('stg_order') }} using (order_id)
      |                  ^^^^^^^^^^^ no model, seed or snapshot has this name
      |
      = help: did you mean `stg_orders` (models/staging/stg_orders.sql)?
    "#);
}

#[test]
fn places_of_one_file_that_are_near_share_an_excerpt() {
    let shown = shown("a: 1\nb: 2\nc: 3\na: 4\n", |file| {
        let problem = Diagnostic::warning(Code::DuplicateKey, Span::new(file, 15..16), "the key `a` stands twice");
        problem.label("again here").related(Span::new(file, 0..1), "first here")
    });
    assert_snapshot!(shown, @r#"
    warning[duplicate-key]: the key `a` stands twice
     --> models/orders.sql:4:1
      |
    1 | a: 1
      | - first here
    ...
    4 | a: 4
      | ^ again here
    "#);
}

#[test]
fn a_place_in_another_file_is_shown_below() {
    let files = ProjectFiles::new("/p");
    let caller = files.add("models/orders.sql", "select 1\nfrom {{ money('x') }}\n");
    let called = files.add("macros/money.sql", "{% macro money(x) %}\n  {{ x.y.z }}\n{% endmacro %}\n");
    let problem = Diagnostic::error(Code::JinjaError, Span::new(called, 26..31), "`x` has no `y`")
        .related(Span::new(caller, 17..27), "called from here");
    assert_snapshot!(screened(&problem, &files, &[]), @r#"
    error[jinja-error]: `x` has no `y`
     --> macros/money.sql:2:6
      |
    2 |   {{ x.y.z }}
      |      ^^^^^
      |
     ::: models/orders.sql:2:9
      |
    2 | from {{ money('x') }}
      |         ---------- called from here
    "#);
}

#[test]
fn a_problem_without_a_place_is_one_line() {
    let shown = shown("", |_| Diagnostic::error(Code::NoProject, None, "there is no project here"));
    assert_snapshot!(shown, @"error[no-project]: there is no project here");
}

#[test]
fn an_empty_file_has_a_first_line() {
    let shown = shown("", |file| Diagnostic::error(Code::EmptyModel, Span::start_of(file), "no SQL"));
    assert_snapshot!(shown, @r#"
    error[empty-model]: no SQL
     --> models/orders.sql:1:1
      |
    1 |
      | ^
    "#);
}

#[test]
fn a_place_at_the_end_of_a_line_is_on_that_line() {
    assert_snapshot!(at("select 1\nfrom t\n", "\n"), @r#"
    error[sql-error]: no such thing
     --> models/orders.sql:1:9
      |
    1 | select 1
      |         ^ here
    "#);
}

#[test]
fn a_place_at_the_end_of_the_file_is_on_the_last_line() {
    let place = |end| move |file| Diagnostic::error(Code::JinjaSyntax, Span::new(file, end..end), "the end came early");
    assert_snapshot!(shown("{% if x %}\n", place(11)), @r#"
    error[jinja-syntax]: the end came early
     --> models/orders.sql:2:1
      |
    2 |
      | ^
    "#);
    assert_snapshot!(shown("{% if x %}", place(10)), @r#"
    error[jinja-syntax]: the end came early
     --> models/orders.sql:1:11
      |
    1 | {% if x %}
      |           ^
    "#);
    assert_snapshot!(shown("{% if x %}", place(99)), @r#"
    error[jinja-syntax]: the end came early
     --> models/orders.sql:1:11
      |
    1 | {% if x %}
      |           ^
    "#);
}

#[test]
fn columns_count_letters_and_tabs_are_four_wide() {
    assert_snapshot!(at("\tselect 'é漢🎉', nope", "nope"), @r#"
    error[sql-error]: no such thing
     --> models/orders.sql:1:16
      |
    1 |     select 'é漢🎉', nope
      |                     ^^^^ here
    "#);
}

#[test]
fn a_place_inside_of_a_letter_takes_the_whole_letter() {
    let shown = shown("a漢b", |file| Diagnostic::error(Code::SqlError, Span::new(file, 2..3), "x"));
    assert_snapshot!(shown, @r#"
    error[sql-error]: x
     --> models/orders.sql:1:2
      |
    1 | a漢b
      |  ^^
    "#);
}

#[test]
fn windows_line_ends_are_gone() {
    assert_snapshot!(at(&"select 1\r\nfrom nope\r\n".replace("\r\n", "\n"), "nope"), @r#"
    error[sql-error]: no such thing
     --> models/orders.sql:2:6
      |
    2 | from nope
      |      ^^^^ here
    "#);
}

#[test]
fn a_long_line_is_cut_around_the_place() {
    let text = format!("select {}nope, {}\n", "column, ".repeat(10_000), "after, ".repeat(1000));
    assert_snapshot!(at(&text, "nope"), @r#"
    error[sql-error]: no such thing
     --> models/orders.sql:1:80008
      |
    1 | ...mn, column, column, column, column, column, column, column, nope, after, after, after, after, after, after, after, after, after, a...
      |                                                                ^^^^ here
    "#);
}

#[test]
fn a_long_line_of_wide_letters_is_cut_too() {
    let text = format!("{}x{}", "\t漢🎉e\u{301}".repeat(500), "漢".repeat(500));
    assert_snapshot!(at(&text, "x"), @r#"
    error[sql-error]: no such thing
     --> models/orders.sql:1:2501
      |
    1 | ...  漢🎉é    漢🎉é    漢🎉é    漢🎉é    漢🎉é    漢🎉é    漢🎉éx漢漢漢漢漢漢漢漢漢漢漢漢漢漢漢漢漢漢漢漢漢漢漢漢漢漢漢漢漢漢漢漢漢...
      |                                                                 ^ here
    "#);
}

#[test]
fn a_place_of_many_lines_is_shown_on_its_first() {
    let text = "select 1,\n".repeat(10);
    assert_snapshot!(at(&text, &text), @r#"
    error[sql-error]: no such thing
     --> models/orders.sql:1:1
      |
    1 | select 1,
      | ^^^^^^^^^ here
    "#);
}

#[test]
fn a_place_of_a_few_lines_is_shown_whole() {
    assert_snapshot!(at("with a as (\n  select 1\n)\nselect 2", "(\n  select 1\n)"), @r#"
    error[sql-error]: no such thing
     --> models/orders.sql:1:11
      |
    1 |   with a as (
      |  ___________^
    2 | |   select 1
    3 | | )
      | |_^ here
    "#);
}

#[test]
fn a_message_of_several_lines_keeps_them_and_cannot_move_the_cursor() {
    let message = "Binder Error: no column \"nope\"\nCandidate bindings: \"\u{1b}[2Jid\"";
    let shown = shown("select nope", |file| Diagnostic::error(Code::SqlError, Span::new(file, 7..11), message));
    assert_snapshot!(shown, @r#"
    error[sql-error]: Binder Error: no column "nope"
                      Candidate bindings: "�[2Jid"
     --> models/orders.sql:1:8
      |
    1 | select nope
      |        ^^^^
    "#);
}

#[test]
fn secrets_are_hidden_in_every_part() {
    let files = ProjectFiles::new("/p");
    let file = files.add("profiles.yml", "password: hunter22\nuser: hunter22\n");
    let problem = Diagnostic::error(Code::InvalidValue, Span::new(file, 10..18), "`hunter22` is refused")
        .label("hunter22")
        .related(Span::new(file, 25..33), "and hunter22")
        .help("not hunter22");
    assert_snapshot!(screened(&problem, &files, &["hunter22"]), @r#"
    error[invalid-value]: `*****` is refused
     --> profiles.yml:1:11
      |
    1 | password: ********
      |           ^^^^^^^^ *****
    2 | user: ********
      |       -------- and *****
      |
      = help: not *****
    "#);
}

#[test]
fn no_place_of_an_odd_text_panics() {
    for text in ["", "\n", "\n\n", "é", "\té\n漢\r\n🎉", "a\u{301}b\u{202e}c\u{0}", "{{ x }}\n\n\n{% y %}"] {
        for start in 0..=text.len() + 2 {
            for end in 0..=text.len() + 2 {
                shown(text, |file| {
                    Diagnostic::error(Code::SqlError, Span::new(file, start..end), "x")
                        .label("l")
                        .related(Span::new(file, end..start), "r")
                        .related(Span::new(file, start..start), "")
                });
            }
        }
    }
}
