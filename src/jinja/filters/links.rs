//! Turns the addresses in a text into links of HTML, as Jinja2's `urlize` does.

use std::sync::LazyLock;

use fancy_regex::Regex;

use crate::jinja::filters::texts::escape;
use crate::jinja::functions::Arguments;
use crate::jinja::python;

/// What may stand around an address without being part of it.
const BEFORE: [char; 2] = ['(', '<'];
const AFTER: [char; 6] = [')', '>', '.', ',', '\n', ';'];

/// A web address: a scheme or `www.` and a host, a host of a well-known domain, or a scheme and an IP address.
static WEB: LazyLock<Option<Regex>> = LazyLock::new(|| {
    let host =
        r"(?:https?://|www\.)(?:[\w%-]+\.)*[A-Za-z]{2,63}|(?:[\w%-]{2,63}\.)+(?:com|net|int|edu|gov|org|info|mil)";
    let ip = r"https?://(?:(?:\d{1,3}\.){3}\d{1,3}|\[[0-9A-Fa-f:]+\])";
    Regex::new(&format!(r"^(?:{host}|{ip})(?::\d{{1,5}})?(?:[/?#]\S*)?$")).ok()
});

/// A mail address.
static MAIL: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"^(?:mailto:)?[^\s:@]+@\w[\w.-]*\.\w+$").ok());

/// The text, escaped, with links around what looks like a web or mail address.
pub fn link(text: &str, args: &Arguments) -> String {
    let limit = args.get(1, "trim_url_limit").and_then(|limit| limit.as_usize());
    let mut rel: Vec<String> =
        args.optional_text(4, "rel").iter().flat_map(|rel| rel.split(' ').map(String::from)).collect();
    if args.flag(2, "nofollow", false) {
        rel.push("nofollow".to_string());
    }
    rel.push("noopener".to_string());
    rel.sort();
    rel.dedup();
    let target = args.optional_text(3, "target").map(|target| format!(" target=\"{}\"", escape(&target)));
    let rest = format!(" rel=\"{}\"{}", escape(&rel.join(" ")), target.unwrap_or_default());
    let schemes: Vec<String> = args
        .get(5, "extra_schemes")
        .and_then(|list| list.try_iter().ok().map(|items| items.map(|item| python::text(&item)).collect()))
        .unwrap_or_default();
    let mut out = String::new();
    for piece in pieces(&escape(text)) {
        out.push_str(&linked(piece, limit, &rest, &schemes).unwrap_or_else(|| piece.to_string()));
    }
    out
}

/// Words and the white space between them.
fn pieces(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut start = 0;
    let mut blank = None;
    for (at, char) in text.char_indices() {
        if blank.is_some_and(|blank| blank != char.is_whitespace()) {
            found.push(&text[start..at]);
            start = at;
        }
        blank = Some(char.is_whitespace());
    }
    found.push(&text[start..]);
    found
}

fn linked(word: &str, limit: Option<usize>, rest: &str, schemes: &[String]) -> Option<String> {
    let middle = word.trim_start_matches(BEFORE).trim_start_matches("&lt;");
    let head = &word[..word.len() - middle.len()];
    let mut address = middle;
    loop {
        let shorter = address.trim_end_matches("&gt;").trim_end_matches(AFTER);
        if shorter.len() == address.len() {
            break;
        }
        address = shorter;
    }
    let tail = &middle[address.len()..];
    let shown = match limit {
        Some(limit) if address.chars().count() > limit => address.chars().take(limit).collect::<String>() + "...",
        _ => address.to_string(),
    };
    let anchor = |href: String, rest: &str, shown: &str| format!("{head}<a href=\"{href}\"{rest}>{shown}</a>{tail}");
    let is = |pattern: &LazyLock<Option<Regex>>| {
        pattern.as_ref().is_some_and(|pattern| pattern.is_match(address).unwrap_or(false))
    };
    if is(&WEB) {
        let scheme = if address.starts_with("http://") || address.starts_with("https://") { "" } else { "https://" };
        return Some(anchor(format!("{scheme}{address}"), rest, &shown));
    }
    if schemes.iter().any(|scheme| address != scheme && address.starts_with(scheme.as_str())) {
        return Some(anchor(address.to_string(), rest, &shown));
    }
    let mail = address.strip_prefix("mailto:").unwrap_or(address);
    is(&MAIL).then(|| anchor(format!("mailto:{mail}"), "", mail))
}

#[cfg(test)]
mod tests {
    use minijinja::Value;

    use super::link;
    use crate::jinja::functions::Arguments;

    /// What Jinja2 3.1 prints.
    #[test]
    fn addresses_become_links_as_in_jinja2() {
        let linked = |text: &str| link(text, &Arguments::new("urlize", &[Value::from(text)]));
        assert_eq!(
            linked("see http://a.b/c?x=1&y=2, and www.x.org. (mail me@x.org) <b> foo.com/bar a@b"),
            "see http://a.b/c?x=1&amp;y=2, and <a href=\"https://www.x.org\" rel=\"noopener\">www.x.org</a>. (mail \
             <a href=\"mailto:me@x.org\">me@x.org</a>) &lt;b&gt; <a href=\"https://foo.com/bar\" \
             rel=\"noopener\">foo.com/bar</a> a@b"
        );
        assert_eq!(linked("'x' https:// (https://a.b)."), "&#39;x&#39; https:// (https://a.b).");
    }
}
