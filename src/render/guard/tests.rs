//! What could abort or stall the process is refused, quickly.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use handlebars::Context;

use super::*;
use crate::render::Escape;
use crate::render::engine::{Compiled, Medium};

const PLAIN: Medium = Medium::Message(Escape::Plain);

fn refusal(source: &str) -> String {
    let started = Instant::now();
    let fault = Compiled::new(source, PLAIN, None).unwrap_err();
    assert!(started.elapsed() < Duration::from_secs(5), "{}", &source[..20]);
    fault.to_string()
}

fn nested(open: &str, inner: &str, close: &str, depth: usize) -> String {
    format!("{}{inner}{}", open.repeat(depth), close.repeat(depth))
}

#[test]
fn nesting_is_refused_whatever_its_depth() {
    for depth in [MAX_DEPTH + 1, 990, 5_000, 100_000] {
        for source in [
            nested("{{#if a}}", "x", "{{/if}}", depth),
            nested("{{#if a}}", "x", "", depth),
            nested("{{#if a}}x{{else}}", "x", "{{/if}}", depth),
            format!("{{{{#if a}}}}{}{{{{/if}}}}", "{{else if b}}x".repeat(depth)),
            format!("{{{{upper {}a{}}}}}", "(upper ".repeat(depth), ")".repeat(depth)),
            format!("{{{{upper {}}}}}", "(upper ".repeat(depth)),
            format!("{{{{upper {}{}}}}}", "[".repeat(depth), "]".repeat(depth)),
            format!("{{{{upper {}1{}}}}}", "{\"a\":".repeat(depth), "}".repeat(depth)),
            format!("{{{{upper {}1{}}}}}", "a=(upper a ".repeat(depth), ")".repeat(depth)),
            nested("{{#> a}}", "x", "{{/a}}", depth),
            nested("{{#*a}}", "x", "{{/a}}", depth),
            nested("{{!-- {{/if}} --}}{{#if a}}", "x", "{{/if}}", depth),
            nested("{{#if \"{{/if}}\"}}", "x", "{{/if}}", depth),
        ] {
            assert!(!refusal(&source).is_empty());
        }
    }
}

#[test]
fn the_greatest_depth_allowed_renders_on_a_small_stack() {
    let source = nested("{{#each a}}{{#if this}}", "x", "{{/if}}{{/each}}", MAX_DEPTH / 2);
    let mut data = serde_json::json!("x");
    for _ in 0..MAX_DEPTH / 2 {
        data = serde_json::json!([data]);
    }
    let source = source.replace("each a", "each this").replacen("each this", "each a", 1);
    let compiled = Compiled::new(&source, PLAIN, None).unwrap();
    let context = Context::from(serde_json::json!({"a": data}));

    let text = thread::Builder::new()
        .stack_size(1024 * 1024)
        .spawn(move || compiled.render(&context))
        .unwrap()
        .join()
        .unwrap();

    assert_eq!(text.unwrap(), "x");
}

#[test]
fn a_small_source_is_parsed_on_a_small_stack() {
    let deep = |open: &str| open.repeat(OPENERS_OF_SMALL - 1);
    for source in [deep("{{#if a}}"), format!("{{{{upper {}", deep("(upper ")), deep("{{#each a}}")] {
        let refused = thread::Builder::new()
            .stack_size(1024 * 1024)
            .spawn(move || Compiled::new(&source, PLAIN, None).is_err())
            .unwrap();
        assert!(refused.join().unwrap());
    }
}

#[test]
fn partials_and_decorators_are_refused() {
    for source in [
        "{{#*inline \"a\"}}{{> b}}{{/inline}}{{#*inline \"b\"}}{{> a}}{{/inline}}{{> a}}",
        "{{> self}}",
        "{{#> layout}}x{{/layout}}",
        "{{* inline \"x\"}}",
        "{{#if a}}\n{{> (lookup a 'x')}}{{/if}}",
    ] {
        assert!(refusal(source).contains("partials"), "{source}: {}", refusal(source));
    }
}

#[test]
fn a_refusal_names_the_line_and_what_is_wrong() {
    let roots = BTreeSet::from(["severity".to_owned(), "alerts".to_owned()]);
    let fault = |source: &str| Compiled::new(source, PLAIN, Some(&roots)).unwrap_err().to_string();

    assert_eq!(fault("a\n{{severiti}}"), "line 2: there is no variable \"severiti\"");
    assert_eq!(fault("a\n\n{{#if (eq severit \"x\")}}{{/if}}"), "line 3: there is no variable \"severit\"");
    assert_eq!(fault("{{shout severity}}"), "line 1: there is no helper \"shout\"");
    assert_eq!(fault("{{#log severity}}{{/log}}"), "line 1: there is no helper \"log\"");
    assert_eq!(fault(&"x".repeat(MAX_SOURCE + 1)), "longer than 64 KiB");
    assert_eq!(
        fault("{{#if severity}}x"),
        "line 1: invalid syntax: is a block such as {{#if …}} not closed?"
    );
    assert!(
        fault("ok\n{{#if severity}}x{{/each}}")
            .starts_with("line 2: helper \"if\" was opened, but \"each\" is closing")
    );
    assert!(
        Compiled::new(
            "{{#each alerts}}{{name}}{{../severity}}{{/each}}{{this.severity}}",
            PLAIN,
            Some(&roots)
        )
        .is_ok()
    );
}

#[test]
fn raw_output_is_refused_where_escaping_protects() {
    for source in ["{{{a}}}", "{{&a}}", "{{~{a}~}}"] {
        assert!(Compiled::new(source, PLAIN, None).is_ok());
        for medium in [Medium::Message(Escape::Html), Medium::Message(Escape::Mrkdwn), Medium::Url] {
            assert!(Compiled::new(source, medium, None).unwrap_err().message.contains("unescaped"));
        }
    }
}

#[test]
fn loops_within_loops_over_many_alerts_end() {
    let context = Context::from(serde_json::json!({"alerts": vec![serde_json::json!({"a": 1}); 500]}));
    let source = "{{#each alerts}}{{#each @root/alerts}}{{#each @root/alerts}}{{/each}}{{/each}}{{/each}}";
    let silent = "{{#each alerts}}{{#each @root/alerts}}{{#each @root/alerts}}{{#if a}}{{/if}}{{/each}}{{/each}}{{/each}}";
    for source in [source, silent] {
        let started = Instant::now();

        let fault = Compiled::new(source, PLAIN, None).unwrap().render(&context).unwrap_err();

        // A slow machine is out of time before it is out of steps.
        assert!(fault.message.contains("steps") || fault.message.contains("longer than"), "{fault}");
        assert!(started.elapsed() < Duration::from_secs(10));
    }
}

#[test]
fn long_texts_end() {
    let context = Context::from(serde_json::json!({"alerts": vec![1; 500], "text": "x".repeat(10_000)}));

    let fault =
        Compiled::new("\n{{#each alerts}}{{@root/text}}{{/each}}", PLAIN, None).unwrap().render(&context);

    let fault = fault.unwrap_err();
    assert_eq!(fault.line, Some(2));
    assert!(fault.message.contains("longer than 256 KiB"), "{fault}");
}

#[test]
fn helpers_are_paid_for() {
    let context = Context::from(serde_json::json!({"alerts": vec!["x".repeat(1000); 500]}));
    let source = "{{#if (json alerts)}}{{/if}}".repeat(300);

    let fault = Compiled::new(&source, PLAIN, None).unwrap().render(&context).unwrap_err();

    assert!(fault.message.contains("larger than 8192 KiB together"), "{fault}");
}

#[test]
fn what_grows_with_every_call_ends_before_it_is_made() {
    let data = serde_json::json!({"alerts": vec!["\"".repeat(1000); 50], "text": "\"*\"".repeat(200)});
    let context = Context::from(data);
    let nested = |helper: &str, inner: &str| {
        format!("{{{{len {}{inner}{}}}}}", format!("({helper} ").repeat(28), ")".repeat(28))
    };
    let long = "x".repeat(20_000);
    for source in [
        nested("json", "alerts"),
        nested("json", "text"),
        nested("md_escape", "text"),
        format!("{{{{#each alerts}}}}{{{{#if (join @root/alerts \"{long}\")}}}}{{{{/if}}}}{{{{/each}}}}"),
        "{{#each alerts}}{{#each @root/alerts}}{{#if (default @root/alerts 1)}}{{/if}}{{/each}}{{/each}}".to_owned(),
        "{{#each alerts}}{{#each @root/alerts}}{{#if (take @root/alerts 50)}}{{/if}}{{/each}}{{/each}}".to_owned(),
        "{{#each alerts}}{{#each @root/alerts}}{{#if (eq @root/alerts @root/alerts)}}{{/if}}{{/each}}{{/each}}".to_owned(),
    ] {
        let started = Instant::now();

        let fault = Compiled::new(&source, PLAIN, None).unwrap().render(&context).unwrap_err();

        // A slow machine is out of time before it is out of room.
        let is_bounded = ["larger than 8192 KiB together", "takes longer than"];
        assert!(is_bounded.iter().any(|bound| fault.message.contains(bound)), "{source}: {fault}");
        assert!(started.elapsed() < Duration::from_secs(10), "{source}");
    }
}

#[test]
fn templates_of_one_message_share_a_budget_and_built_in_ones_have_their_own() {
    use crate::render::budget::{BUILT_IN, MESSAGE, apart, within};
    let context = Context::from(serde_json::json!({"alerts": vec!["x".repeat(1000); 500]}));
    let template = Compiled::new(&"{{#if (json alerts)}}{{/if}}".repeat(10), PLAIN, None).unwrap();
    assert!(template.render(&context).is_ok());

    let (first, second, own) = within(MESSAGE, || {
        let first = template.render(&context);
        let second = template.render(&context);
        (first, second, apart(BUILT_IN, || template.render(&context)))
    });

    assert!(first.is_ok() && own.is_ok());
    assert!(second.unwrap_err().message.contains("larger than"));
    assert!(template.render(&context).is_ok(), "the next message has its own");
}

#[test]
fn a_template_for_go_is_answered_with_what_to_write() {
    for source in ["{{ .Labels.pod }}", "{{ $labels.pod }}", "{{- .Status }}"] {
        let message = Compiled::new(source, PLAIN, Some(&BTreeSet::new())).unwrap_err().message;
        assert!(message.contains("Go's templates; write {{labels.pod}}"), "{source}: {message}");
    }
}
