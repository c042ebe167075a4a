//! Each helper by example.

use handlebars::Context;
use serde_json::json;

use crate::render::Escape;
use crate::render::engine::{Compiled, Medium};

fn rendered(source: &str) -> String {
    in_medium(source, Escape::Plain)
}

fn in_medium(source: &str, escape: Escape) -> String {
    let data = json!({
        "severity": "high", "empty": "", "nothing": null, "lines": "a\nOwner: x", "text": "a <b> *c* & d", "ratio": "0.12345",
        "millis": 1_787_222_880_000_i64, "list": ["a", "b", "c"], "map": {"x": "1", "y": 2},
        "labels": {"foo.bar": "dotted"}, "window": {"from_ms": 1, "to_ms": 2},
    });
    let compiled = Compiled::new(source, Medium::Message(escape), None).unwrap();
    match compiled.render(&Context::from(data)) {
        Ok(text) => text,
        Err(fault) => format!("ERROR {fault}"),
    }
}

macro_rules! examples {
    ($($name:ident: $($source:literal => $expected:literal),+ $(,)?;)+) => {$(
        #[test]
        fn $name() {
            $(assert_eq!(rendered($source), $expected, "{}", $source);)+
        }
    )+};
}

examples! {
    cases:
        "{{upper severity}} {{lower \"ÄB\"}}" => "HIGH äb";
    defaults:
        "{{default empty \"x\"}}{{default nothing \"y\"}}{{default labels.none \"z\"}}{{default severity \"w\"}}" => "xyzhigh",
        "{{default empty labels.none}}|{{default (lookup labels \"a/b\") \"-\"}}|{{labels.none}}" => "|-|",
        "{{lookup labels \"foo.bar\"}} {{lookup list 1}} {{lookup list \"9\"}}{{upper labels.none}}" => "dotted b ",
        "{{list.length}} {{labels.length}}{{#if (gt list.length 2)}}many{{/if}}" => "3 many",
        "{{lookup map.none \"x\"}}" => "ERROR line 1: lookup: argument 1 is \"map.none\", which does not exist",
        "{{default empty map.none}}" => "ERROR line 1: default: argument 2 is \"map.none\", which does not exist";
    lists:
        "{{join list}} {{join list \"/\"}}" => "a, b, c a/b/c",
        "{{pairs map \"; \"}}" => "x=1; y=2",
        "{{json map}}" => "{\"x\":\"1\",\"y\":2}",
        "{{#each (take list 2)}}{{this}}{{@index}}{{/each}}{{more list 2}}{{more list 9 4}}" => "a0b114",
        "{{join severity}}" => "ERROR line 1: join: argument 1 must be a list, not \"high\"";
    loops:
        "{{#each list}}{{#if @first}}^{{/if}}{{this}}{{#if @last}}${{/if}}{{/each}}" => "^abc$",
        "{{#each map}}{{@key}}={{this}},{{/each}}" => "x=1,y=2,",
        "{{#each list as |item index|}}{{index}}{{item}}{{../severity}}{{/each}}" => "0ahigh1bhigh2chigh",
        "{{#each list as |item|}}{{item}}{{/each}}" => "abc",
        "{{#each empty_list}}x{{else}}none{{/each}}" => "ERROR line 1: \"empty_list\" does not exist here: ask {{#if empty_list}} first or write {{default empty_list \"…\"}}",
        "{{#each (take list 0)}}x{{else}}none{{/each}}" => "none",
        "{{#each severity}}x{{/each}}" => "ERROR line 1: each: argument 1 must be a list or a map";
    conditions:
        "{{#if (and severity (ne severity \"low\") (not labels.none))}}yes{{/if}}" => "yes",
        "{{#if (or labels.none (eq labels.none \"x\"))}}yes{{else}}no{{/if}}" => "no",
        "{{#if labels.none}}yes{{else}}no{{/if}}" => "no",
        "{{labels.[foo.bar]}}" => "dotted";
    numbers:
        "{{fixed ratio 2}} {{fixed 3}} {{fixed \"2.5\" 0}}" => "0.12 3.00 2",
        "{{humanize_number 1234567}} {{humanize_number 0.00123}} {{humanize_number 0}} {{humanize_number 999.96}}" => "1.235M 1.23m 0 1000",
        "{{humanize_number \"-1500\"}} {{humanize_number 12}}" => "-1.5k 12",
        "{{humanize_percentage ratio}} {{humanize_percentage 1}}" => "12.35% 100%",
        "{{fixed severity}} {{humanize_number severity}} {{humanize_percentage severity}} {{humanize_duration severity}}" => "high high high high",
        "{{fixed \"NaN\"}} {{humanize_number \"nan\"}} {{humanize_percentage \"NaN\"}} {{humanize_duration \"NaN\"}}" => "NaN NaN NaN% NaN",
        "{{fixed \"+Inf\"}} {{humanize_number \"Inf\"}} {{percent \"+Inf\"}} {{humanize_duration \"infinity\"}}" => "+Inf +Inf +Inf% +Inf",
        "{{fixed \"-Inf\" 0}} {{humanize \"-inf\"}} {{humanizePercentage \"-Inf\"}} {{humanizeDuration \"-Inf\"}}" => "-Inf -Inf -Inf% -Inf",
        "{{percent \"1e307\"}}|{{fixed empty}}|{{fixed nothing}}|{{fixed labels.none}}|{{humanize_number \"12 ms\"}}" => "+Inf%||||12 ms",
        "{{fixed list}}" => "ERROR line 1: fixed: argument 1 must be a number, not a list";
    durations:
        "{{humanize_duration 93784}} {{humanize_duration 60}} {{humanize_duration 1.5}} {{humanize_duration 0.412}} {{humanize_duration 0}} {{humanize_duration -90}}" => "1d 2h 3m 4s 1m 0s 1.5s 412ms 0s -1m 30s",
        "{{humanize_duration \"0.00002\"}}" => "20µs";
    dates:
        "{{date millis}}" => "2026-08-20 10:48 UTC",
        "{{date \"2026-08-20T10:48:00Z\" \"%d.%m. %H:%M %Z\" \"Europe/Berlin\"}}" => "20.08. 12:48 CEST",
        "{{date empty}}" => "",
        "{{date millis \"%H\" \"Mars/Base\"}}" => "ERROR line 1: date: argument 3: there is no time zone \"Mars/Base\"; write one such as Europe/Berlin",
        "{{date severity}}" => "ERROR line 1: date: argument 1 must be milliseconds since 1970 or an RFC 3339 time",
        "{{date list}}" => "ERROR line 1: date: argument 1 must be milliseconds since 1970 or an RFC 3339 time";
    texts:
        "{{truncate text 5}}|{{truncate text 8 \"[cut]\"}}|{{truncate severity 10}}" => "a…|a[cut]|high",
        "{{code \"a`b\"}}{{code empty}}" => "`a'b`",
        "{{toUpper severity}} {{toLower \"Ä\"}} {{{{raw}}}}{{x}}{{{{/raw}}}}" => "HIGH ä {{x}}",
        "{{quote severity}} {{quote lines}}|{{quote \"Owner: x\"}}|{{quote empty}}" => "high > a\n> Owner: x|> Owner: x|",
        "{{url_encode \"a b/ü\"}}" => "a%20b%2F%C3%BC",
        "{{mrkdwn_escape text}}" => "a &lt;b&gt; *c* &amp; d",
        "{{md_escape \"*a* [b](c)\"}}" => "\\*a\\* \\[b\\](c)",
        "{{upper}}" => "ERROR line 1: upper: argument 1 is missing",
        "{{upper map}}" => "ERROR line 1: upper: argument 1 must be text, not a map",
        "{{truncate text \"many\"}}" => "ERROR line 1: truncate: argument 2 must be a whole number that is not negative, not \"many\"";
    severities:
        "{{severity_emoji severity}} {{severity_color \"critical\"}}" => "🟠 #c4221f",
        "{{severity_emoji \"page\"}}" => "ERROR line 1: severity_emoji: argument 1: \"page\" is not one of critical, high, medium, low, info";
    windows:
        "{{window_link \"https://g.example/d/x\"}}" => "https://g.example/d/x?from=1&to=2",
        "{{window_link \"https://g.example/d/x?a=b#c\"}}" => "https://g.example/d/x?a=b&from=1&to=2#c",
        "{{#each list}}{{#if @first}}{{window_link \"https://g.example/?\"}}{{/if}}{{/each}}" => "https://g.example/?from=1&to=2";
}

#[test]
fn what_helpers_return_is_escaped_once_for_the_medium() {
    assert_eq!(in_medium("{{upper text}}", Escape::Mrkdwn), "A &lt;B&gt; *C* &amp; D");
    assert_eq!(in_medium("{{mrkdwn_escape text}}", Escape::Mrkdwn), "a &lt;b&gt; *c* &amp; d");
    assert_eq!(in_medium("{{default labels.none \"<!here>\"}}", Escape::Mrkdwn), "&lt;!here&gt;");
    assert_eq!(
        in_medium("{{json map}}{{upper \"'\"}}", Escape::Html),
        "{&quot;x&quot;:&quot;1&quot;,&quot;y&quot;:2}&#39;"
    );
    assert_eq!(in_medium("{{code text}}", Escape::Mrkdwn), "`a &lt;b&gt; *c* &amp; d`");
}
