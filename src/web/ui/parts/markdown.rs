//! Markdown by strangers as HTML: what is known to be harmless goes through, anything else
//! becomes the text it was written as.

use maud::{Markup, PreEscaped};
use pulldown_cmark::{Event, LinkType, Options, Parser, Tag, TagEnd, html};

use super::link::web_address;

/// The greatest text that is laid out, in bytes; what follows is left out.
const LONGEST: usize = 256 * 1024;

/// Markdown as HTML. Raw HTML is shown as text, images become links (nothing is loaded from
/// outside), links lead to web and mail addresses only.
pub fn render(text: &str) -> Markup {
    let mut end = text.len().min(LONGEST);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let options = Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH | Options::ENABLE_TASKLISTS;
    let mut out = String::new();
    let mut links = Links::default();
    html::push_html(&mut out, Parser::new_ext(&text[..end], options).filter_map(|event| links.tame(event)));
    PreEscaped(out)
}

/// Which of the links that are open lead somewhere: the others are shown as their text.
#[derive(Default)]
struct Links(Vec<bool>);

impl Links {
    fn tame<'a>(&mut self, event: Event<'a>) -> Option<Event<'a>> {
        let (Event::Start(Tag::Link { dest_url, title, .. })
        | Event::Start(Tag::Image { dest_url, title, .. })) = &event
        else {
            let ends = matches!(event, Event::End(TagEnd::Link | TagEnd::Image));
            return (!ends || self.0.pop().unwrap_or(false)).then(|| tame(event));
        };
        let is_mail = dest_url.to_ascii_lowercase().starts_with("mailto:");
        let leads_to = if is_mail { Some(dest_url.to_string()) } else { web_address(dest_url) };
        self.0.push(leads_to.is_some());
        leads_to.map(|url| {
            let (link_type, dest_url, title) = (LinkType::Inline, url.into(), title.clone());
            Event::Start(Tag::Link { link_type, dest_url, title, id: "".into() })
        })
    }
}

fn tame(event: Event<'_>) -> Event<'_> {
    match event {
        Event::Html(raw) | Event::InlineHtml(raw) => Event::Text(raw),
        Event::Start(Tag::HtmlBlock) => Event::Start(Tag::Paragraph),
        Event::End(TagEnd::HtmlBlock) => Event::End(TagEnd::Paragraph),
        Event::End(TagEnd::Image) => Event::End(TagEnd::Link),
        // One heading of a page is the page's own.
        Event::Start(Tag::Heading { .. }) => Event::Start(Tag::Heading {
            level: pulldown_cmark::HeadingLevel::H3,
            id: None,
            classes: Vec::new(),
            attrs: Vec::new(),
        }),
        Event::End(TagEnd::Heading(_)) => Event::End(TagEnd::Heading(pulldown_cmark::HeadingLevel::H3)),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn html(text: &str) -> String {
        render(text).into_string()
    }

    #[test]
    fn what_people_write_is_laid_out() {
        let shown = html(
            "# Roll back\n\n1. `make rollback`\n2. see [the wiki](https://wiki.example/x)\n\n| a | b |\n|---|---|\n| 1 | 2 |\n",
        );

        assert!(shown.contains("<h3>Roll back</h3>"), "{shown}");
        assert!(shown.contains("<code>make rollback</code>"), "{shown}");
        assert!(shown.contains("<a href=\"https://wiki.example/x\">the wiki</a>"), "{shown}");
        assert!(shown.contains("<table>"), "{shown}");
    }

    #[test]
    fn nothing_of_a_stranger_runs_or_is_loaded() {
        for text in [
            "<script>alert(1)</script>",
            "a <img src=x onerror=alert(1)> b",
            "<div onclick=alert(1)>\n\nx</div>",
            "[x](javascript:alert(1))",
            "[x](JaVaScRiPt:alert(1))",
            "[x](data:text/html;base64,PHNjcmlwdD4=)",
            "![x](https://evil.example/pixel.png)",
            "<javascript:alert(1)>",
            "[x]: javascript:alert(1)\n\n[x]",
            "[x](https://ok.example\\\\@evil.example/)",
            "[x](<java\tscript:alert(1)>)",
            "<https://ok.example@evil.example/>",
        ] {
            let shown = html(text).to_lowercase();
            for bad in [
                "<script",
                "<img",
                "<div",
                "href=\"javascript",
                "href=\"java",
                "ok.example\">",
                "evil.example/\"",
                "href=\"data",
                "onerror=alert(1)>",
            ] {
                let is_escaped = bad.starts_with("onerror") && shown.contains("&lt;img");
                assert!(!shown.contains(bad) || is_escaped, "{text} → {shown}");
            }
        }
    }

    proptest! {
        #[test]
        fn whatever_is_written_only_known_tags_come_out(text in ".{0,200}") {
            const KNOWN: [&str; 26] = [
                "p", "h3", "a", "em", "strong", "del", "code", "pre", "ul", "ol", "li", "blockquote", "hr", "br",
                "table", "thead", "tbody", "tr", "th", "td", "input", "sup", "div", "dl", "dt", "dd",
            ];
            let shown = html(&text);
            for part in shown.split('<').skip(1) {
                let name: String = part.trim_start_matches('/').chars().take_while(char::is_ascii_alphanumeric).collect();
                prop_assert!(KNOWN.contains(&name.as_str()), "{name} in {shown}");
            }
        }
    }
}
