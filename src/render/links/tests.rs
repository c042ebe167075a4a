//! Links cannot be forged by what stands in them; keys are bounded.

use proptest::prelude::*;

use super::*;

fn labels(pairs: &[(&str, &str)]) -> Labels {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn context(labels: &Labels) -> LinkContext<'_> {
    LinkContext { labels, ..sample_context() }
}

fn url(template: &str, values: &[(&str, &str)]) -> Option<String> {
    LinkTemplates::default().render_url(template, &context(&labels(values))).unwrap()
}

fn key(template: &str, values: &[(&str, &str)]) -> String {
    DedupKeyTemplate::parse(template).unwrap().render(&context(&labels(values))).unwrap()
}

#[test]
fn values_are_encoded_where_they_land_in_a_url() {
    assert_eq!(
        url(
            "https://g.example/d?m={{labels.model}}&from={{window.from_ms}}&to={{window.to_ms}}",
            &[("model", "a b&c=d/é")]
        ),
        Some("https://g.example/d?m=a%20b%26c%3Dd%2F%C3%A9&from=1&to=2".to_owned())
    );
    assert_eq!(
        url(
            "https://x.example/{{#if labels.a}}{{upper labels.a}}{{else}}none{{/if}}/{{labels.[b.c]}}",
            &[("b.c", "ü")]
        ),
        Some("https://x.example/none/%C3%BC".to_owned())
    );
    assert_eq!(
        url("https://x.example/?q={{url_encode labels.a}}", &[("a", "b c")]),
        Some("https://x.example/?q=b%20c".to_owned())
    );
    assert_eq!(url("https://x.example/{{labels.missing}}", &[]), Some("https://x.example/".to_owned()));
    assert_eq!(url("", &[]), None);
}

#[test]
fn a_value_can_forge_neither_scheme_nor_host() {
    assert_eq!(url("{{labels.u}}", &[("u", "https://evil.example/")]), None);
    assert_eq!(url("{{labels.u}}", &[("u", "javascript:alert(1)")]), None);
    let by_place = "https://grafana.{{labels.dc}}.example/";
    assert_eq!(url(by_place, &[("dc", "eu")]), Some("https://grafana.eu.example/".to_owned()));
    for forged in ["x@evil.example/", "x/", "evil.example\\", "a b", "x.evil.example#", "%2f"] {
        assert_eq!(url(by_place, &[("dc", forged)]), None, "{forged}");
    }
    assert_eq!(url("https://{{labels.host}}/x", &[]), None);
}

#[test]
fn a_broken_template_is_told_at_once() {
    let fault = |template| LinkTemplates::check(template).unwrap_err().to_string();

    assert_eq!(fault("/runbooks/{{entry}}"), "must begin with http:// or https://");
    assert_eq!(fault("javascript:alert({{entry}})"), "must begin with http:// or https://");
    assert_eq!(fault("https://x/{{model}}"), "line 1: there is no variable \"model\"");
    assert_eq!(fault("https://x/\n{{{entry}}}").split(':').next(), Some("line 2"));
    assert!(fault("https://x/{{entry").starts_with("line 1: invalid syntax: expected"));
    for good in [
        "",
        "https://x/{{entry}}",
        " HTTPS://{{labels.host}}/x",
        "{{#if labels.a}}https://a{{else}}https://b{{/if}}",
    ] {
        assert_eq!(LinkTemplates::check(good), Ok(()), "{good}");
    }
}

#[test]
fn a_broken_link_of_the_catalog_is_an_error_each_time() {
    let templates = LinkTemplates::default();
    for _ in 0..2 {
        assert!(templates.render_url("https://x/{{#if}", &sample_context()).is_err());
    }
}

#[test]
fn keys_are_made_of_what_the_alert_says() {
    assert_eq!(key("{{alertname}}:{{entry}}", &[]), "HighLatency:fraud-detector");
    assert_eq!(
        key("{{entry}}/{{labels.region}}/{{labels.none}}", &[("region", "eu & us")]),
        "fraud-detector/eu & us/"
    );
    assert_eq!(key("{{lower alertname}} {{severity}}", &[]), "highlatency critical");
    assert_eq!(key("{{!-- per entry --}}{{entry}}", &[]), "fraud-detector");
}

#[test]
fn a_key_template_must_tell_alerts_apart() {
    assert!(DedupKeyTemplate::parse("always-the-same").is_err());
    assert!(DedupKeyTemplate::parse("").is_err());
    assert!(DedupKeyTemplate::parse("{{alertnam}}").is_err());
}

#[test]
fn a_long_key_ends_in_a_digest_of_the_whole() {
    let long = "ü".repeat(300);
    let (one, other) = (key("{{labels.a}}1", &[("a", &long)]), key("{{labels.a}}2", &[("a", &long)]));

    assert!(one.len() <= DedupKeyTemplate::MAX_LENGTH && one.starts_with("üü"));
    assert_ne!(one, other);
}

proptest! {
    #[test]
    fn the_way_around_the_engine_says_what_the_engine_says(value in "\\PC{0,40}", name in "[a-z]{1,5}") {
        for medium in [Medium::Url, Medium::Key] {
            let labels = labels(&[(&name, &value)]);
            let source = format!("https://x/{{{{labels.{name}}}}}-{{{{entry}}}}-{{{{window.to_ms}}}}");
            let template = FactTemplate::new(&source, medium).unwrap();
            prop_assert!(template.pieces.is_some());

            let short = template.render(&context(&labels)).unwrap();
            let long = template.compiled.render(&Context::wraps(context(&labels)).unwrap()).unwrap();

            prop_assert_eq!(short, long);
        }
    }

    #[test]
    fn a_url_holds_nothing_that_could_end_a_link(value in "\\PC{0,40}") {
        let url = url("https://x.example/{{labels.v}}?q={{labels.v}}", &[("v", &value)]).unwrap();
        prop_assert!(url.starts_with("https://x.example/"));
        prop_assert!(!url.contains(|c: char| " <>\"|'`".contains(c) || c.is_control()));
    }
}
