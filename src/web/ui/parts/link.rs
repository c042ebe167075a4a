//! Links to what strangers name.

use maud::{Markup, html};

use crate::render::urls::fitting;

/// An address of the web as a link that gives nothing away and takes nothing over; any other
/// text as the text it is.
pub fn outside(url: &str, text: &str) -> Markup {
    match web_address(url) {
        Some(url) => html! { a href=(url) rel="noopener noreferrer nofollow" target="_blank" { (text) } },
        None => html! { (text) },
    }
}

/// Whether it is an address that a click may lead to.
pub fn is_web(url: &str) -> bool {
    web_address(url).is_some()
}

/// The address that a click leads to, shortened where it is too long to be shown.
pub fn web_address(url: &str) -> Option<String> {
    fitting(url).unwrap_or_default()
}

/// To a catalog entry's page; a dash without one.
pub fn entry(slug: &str) -> Markup {
    if slug.is_empty() {
        return html! { span.quiet { "no entry" } };
    }
    html! { a href=(format!("/catalog/{}", super::query::segment(slug))) { (slug) } }
}

/// To a channel's page.
pub fn channel(name: &str) -> Markup {
    html! { a href=(format!("/channels/{}", super::query::segment(name))) { (name) } }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_of_the_web_become_links() {
        for url in [
            "javascript:alert(1)",
            " JaVaScRiPt:alert(1)",
            "data:text/html,x",
            "//evil.example",
            "/x",
            "",
            "https://ok.example\\@evil.example/",
        ] {
            assert_eq!(outside(url, "x").into_string(), "x", "{url}");
        }
        assert!(
            outside("https://a.example/?a=\"&b", "x")
                .into_string()
                .contains("href=\"https://a.example/?a=%22&amp;b\"")
        );
    }
}
