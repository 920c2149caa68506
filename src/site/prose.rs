//! Turns Markdown that anybody may have written into HTML that can do nothing but show text and link to pages.

use pulldown_cmark::{CowStr, Event, HeadingLevel, Options, Parser, Tag, TagEnd, html};

/// The schemes of addresses that a description may link to. Others, such as `javascript:`, are shown as text.
const SCHEMES: [&str; 3] = ["https://", "http://", "mailto:"];

/// Markdown as HTML. HTML in it is shown, not obeyed; an image becomes a link, because nothing is loaded from elsewhere.
pub fn html(markdown: &str) -> String {
    let options = Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH | Options::ENABLE_TASKLISTS;
    let mut links = Vec::new();
    let events = Parser::new_ext(markdown, options).map(|event| tame(event, &mut links));
    let mut out = String::with_capacity(markdown.len() * 5 / 4);
    html::push_html(&mut out, events);
    out.trim_end().to_string()
}

/// One event without its teeth. `links` remembers which of the open links were left out.
fn tame<'m>(event: Event<'m>, links: &mut Vec<bool>) -> Event<'m> {
    match event {
        Event::Html(text) | Event::InlineHtml(text) => Event::Text(text),
        Event::Start(Tag::HtmlBlock) => Event::Start(Tag::Paragraph),
        Event::End(TagEnd::HtmlBlock) => Event::End(TagEnd::Paragraph),
        Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => {
            links.push(is_harmless(&dest_url));
            if is_harmless(&dest_url) {
                Event::InlineHtml(anchor(&dest_url))
            } else {
                Event::Text(CowStr::Borrowed(""))
            }
        }
        Event::End(TagEnd::Link | TagEnd::Image) => {
            let end = if links.pop() == Some(true) { "</a>" } else { "" };
            Event::InlineHtml(CowStr::Borrowed(end))
        }
        Event::Start(Tag::Heading { level, .. }) => {
            Event::Start(Tag::Heading { level: below(level), id: None, classes: Vec::new(), attrs: Vec::new() })
        }
        Event::End(TagEnd::Heading(level)) => Event::End(TagEnd::Heading(below(level))),
        other => other,
    }
}

fn is_harmless(address: &str) -> bool {
    let address = address.trim().to_ascii_lowercase();
    address.starts_with("#!/") || SCHEMES.iter().any(|scheme| address.starts_with(scheme))
}

fn anchor<'m>(address: &str) -> CowStr<'m> {
    let mut safe = String::new();
    // Writing to a String cannot fail.
    let _ = pulldown_cmark_escape::escape_href(&mut safe, address.trim());
    CowStr::from(format!("<a href=\"{safe}\" rel=\"noopener noreferrer\">"))
}

/// The page has the first two levels of headings already.
fn below(level: HeadingLevel) -> HeadingLevel {
    match level {
        HeadingLevel::H1 => HeadingLevel::H3,
        HeadingLevel::H2 => HeadingLevel::H4,
        HeadingLevel::H3 => HeadingLevel::H5,
        _ => HeadingLevel::H6,
    }
}

#[cfg(test)]
mod tests {
    use super::html;

    #[test]
    fn markdown_is_shown_with_tables_and_links() {
        assert_eq!(html("# A\n**b** `c`"), "<h3>A</h3>\n<p><strong>b</strong> <code>c</code></p>");
        assert_eq!(
            html("[x](https://example.org/?a=1&b='2' \"t\")"),
            r#"<p><a href="https://example.org/?a=1&amp;b=&#x27;2&#x27;" rel="noopener noreferrer">x</a></p>"#
        );
        assert!(html("|a|\n|-|\n|1|").contains("<td>1</td>"));
        assert_eq!(html("[m](#!/model/model.shop.orders)").matches("href").count(), 1);
    }

    #[test]
    fn nothing_in_a_description_is_obeyed() {
        let hostile = [
            "<script>alert(1)</script>",
            "a <img src=x onerror=alert(1)> b",
            "[x](javascript:alert(1))",
            "[x](JaVaScRiPt&colon;alert(1))",
            "[x](  \u{1}javascript:alert(1))",
            "![x](data:text/html,<script>alert(1)</script>)",
            "[x](https://example.org/\"onmouseover=\"alert(1))",
            "<https://example.org/\"><script>alert(1)</script>>",
            "```\"><script>alert(1)</script>\nx\n```",
            "# x {#id onclick=alert(1)}",
            "<svg/onload=alert(1)>\n\n</svg>",
            "![a](https://example.org/pixel.png)",
        ];
        for text in hostile {
            let out = html(text).to_lowercase();
            for tag in ["<script", "<img", "<svg", "href=\"javascript", "href=\"data", "\"onmouseover", "<h3 "] {
                assert!(!out.contains(tag), "{text} became {out}");
            }
        }
    }

    #[test]
    fn very_deep_markdown_is_no_problem() {
        assert!(html(&"> ".repeat(20_000)).len() < 10_000_000);
        assert!(html(&"[".repeat(20_000)).len() < 10_000_000);
    }
}
