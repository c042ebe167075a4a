//! What Grafana says about an alert beyond what Alertmanager says.

use maud::{Markup, html};

use super::link;
use crate::domain::alert::Extras;

/// The rule's values, as far as there are any.
pub fn values(extras: &Extras) -> Markup {
    html! {
        @if !extras.values.is_empty() { div { span.quiet { "Values " } (extras.values) } }
        @if !extras.value_string.is_empty() { div { span.quiet { "Value string " } (extras.value_string) } }
    }
}

/// Where Grafana leads, each link followed by a dot.
pub fn links(extras: &Extras) -> Markup {
    let links = [
        (&extras.dashboard_url, "Dashboard"),
        (&extras.panel_url, "Panel"),
        (&extras.image_url, "Image"),
        (&extras.silence_url, "Silence"),
    ];
    html! {
        @for (url, text) in links.iter().filter(|(url, _)| link::is_web(url)) {
            (link::outside(url, text)) " · "
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_address_is_no_link_and_markup_is_text() {
        let extras = Extras {
            values: "B=<b>1</b>".to_owned(),
            silence_url: "javascript:alert(1)".to_owned(),
            panel_url: "https://grafana.example/d/x?viewPanel=2&a=\"b\"".to_owned(),
            ..Extras::default()
        };

        let (links, values) = (links(&extras).into_string(), values(&extras).into_string());

        assert!(!links.contains("javascript") && !links.contains("Silence"), "{links}");
        assert!(links.contains("viewPanel=2&amp;a=%22b%22"), "{links}");
        assert!(values.contains("B=&lt;b&gt;1&lt;/b&gt;"), "{values}");
    }
}
