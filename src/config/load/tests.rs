use std::path::PathBuf;

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::config::{Keep, KindPolicy, RetentionConfig};

/// Stands for a secret in the fixtures and below: no message may show it.
const CANARY: &str = "canary-7f3a9c";

fn kinds() -> Vec<KindSchema> {
    let log = json!({"type": "object", "properties": {"color": {"type": "string"}}});
    let slack = json!({
        "type": "object",
        "properties": {
            "webhook_url": {"anyOf": [{"$ref": "#/$defs/Secret"}, {"type": "null"}]},
            "channel": {"type": ["string", "null"]},
            "headers": {"type": "object", "additionalProperties": {"$ref": "#/$defs/Secret"}},
            "smtp": {"$ref": "#/$defs/Smtp"},
        },
        "$defs": {
            "Secret": {"type": "string", "writeOnly": true},
            "Smtp": {
                "type": "object",
                "properties": {
                    "port": {"type": "integer", "minimum": 0, "maximum": 65535},
                    "starttls": {"type": "boolean"},
                    "password": {"$ref": "#/$defs/Secret"},
                    "tls": {"oneOf": [
                        {"const": "none", "type": "string"},
                        {"const": "starttls", "type": "string"},
                    ]},
                },
                "required": ["password"],
                "additionalProperties": false,
            },
        },
    });
    let kind = |name: &str, schema| KindSchema {
        name: name.into(),
        title: name.into(),
        schema,
        over_http: false,
        policy: KindPolicy::DEFAULT,
        check: |channel| match channel.settings.get("color") {
            Some(_) => vec![("color".into(), "a log has no color".into())],
            None => Vec::new(),
        },
    };
    vec![kind("log", log), kind("slack", slack)]
}

fn no_env(_: &str) -> Option<String> {
    None
}

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/config")
}

fn load(text: &str) -> Result<Loaded, Problems> {
    parse(text, &fixtures(), &no_env, &kinds())
}

fn problems_of(text: &str) -> String {
    load(text).unwrap_err().to_string()
}

#[test]
fn every_rule_is_told_with_its_line() {
    let mut seen = 0;
    for entry in std::fs::read_dir(fixtures()).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "yml") {
            continue;
        }
        let name = path.file_stem().unwrap().to_str().unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        let problems = problems_of(&text).replace(fixtures().to_str().unwrap(), "FIXTURES");

        insta::assert_snapshot!(name, problems);
        let is_name_of_key = name == "unset-variable";
        assert!(!problems.contains("canary") || is_name_of_key, "{name} shows a secret: {problems}");
        seen += 1;
    }
    assert!(seen >= 30, "{seen} fixtures found");
}

#[test]
fn a_misspelt_key_is_told_although_its_variable_is_not_set() {
    let problems = problems_of("channels: [{name: a, kind: slack, webhok_url: '${UNSET}'}]");

    let lines: Vec<&str> = problems.lines().collect();
    assert_eq!(lines.len(), 2, "{problems}");
    assert!(
        lines[0].contains("channels[0].webhok_url: unknown key; did you mean `webhook_url`?"),
        "{problems}"
    );
    assert!(lines[1].contains("environment variable `UNSET` is not set"), "{problems}");
}

#[test]
fn one_slip_hides_no_other_of_the_same_section() {
    for (text, both) in [
        ("server: {listen: nowhere, max_body_bytes: 12}", ["server.listen", "server.max_body_bytes"]),
        ("server: {listen: nowhere, liston: x}", ["server.listen", "server.liston"]),
        (
            "delivery: {concurrency: 0, backoff_min: 9s, backoff_max: 1s}",
            ["delivery.concurrency", "delivery.backoff_max"],
        ),
        ("retention: {incidents: 1h, events: soon}", ["retention.incidents", "retention.events"]),
        (
            "server: {listen: '0.0.0.0:1', allow_unauthenticated: sure, liston: x}",
            ["server.allow_unauthenticated", "server.liston"],
        ),
        (
            "retention: {notifications: soon, incidents: 100d, evnts: 1d}",
            ["retention.notifications", "retention.evnts"],
        ),
        (
            "channels: [{name: a, kind: log, color: red, timeout: x}]",
            ["channels[0].color", "channels[0].timeout"],
        ),
        (
            "channels: [{name: a, kind: log, color: red, colour: x}]",
            ["channels[0].color:", "channels[0].colour"],
        ),
    ] {
        let problems = problems_of(text);
        for at in both {
            assert!(problems.contains(at), "{text}: {problems}");
        }
        assert_eq!(problems.lines().count(), 2, "{text}: {problems}");
    }
}

#[test]
fn a_draft_takes_what_others_find_beside_its_own_problems() {
    let text = "server: {listen: nowhere}\nroute: {matchers: [a=b], repeat_interval: x}";
    let mut draft = draft("f.yml", text, Path::new(""), &no_env, &kinds()).unwrap();
    assert!(!draft.is_clean("server") && !draft.is_clean("route") && draft.is_clean("channels"));

    draft.add([
        ("route.matchers".to_owned(), "found later".to_owned()),
        ("route.repeat_interval".to_owned(), "known".to_owned()),
    ]);

    let problems = draft.finish().unwrap_err().to_string();
    assert_eq!(problems.lines().count(), 3, "{problems}");
    assert!(problems.contains("f.yml:2:19: route.matchers: found later"), "{problems}");
}

#[test]
fn keys_of_alertmanager_are_answered_with_what_they_are_called_here() {
    for (text, answers) in [
        ("receivers: [{name: a}]", &["receivers: a key of Alertmanager: destinations are `channels`"][..]),
        (
            "global: {smtp_smarthost: 'h:25', resolve_timeout: 5m}",
            &["global: ", "global.smtp_smarthost: ", "global.resolve_timeout: "],
        ),
        ("inhibit_rules: []", &["inhibit_rules: a key of Alertmanager: inhibition does not exist here"]),
        ("mute_time_intervals: []", &["does not exist here"]),
        (
            "route: {receiver: a}",
            &["route.receiver: a key of Alertmanager: a route names its destinations under `channels`"],
        ),
        ("route: {group_by: [a], group_wait: 1s}", &["route.group_by: ", "route.group_wait: "]),
        (
            "route: {routes: [{match: {a: b}, match_re: {c: d}}]}",
            &["routes[0].match: ", "routes[0].match_re: ", "`matchers`"],
        ),
        (
            "route: {routes: [{active_time_intervals: [x]}]}",
            &["active_time_intervals: a key of Alertmanager"],
        ),
        ("smtp_smarthost: 'h:25'", &["`smtp: {host: …, port: …}`"]),
        (
            "channels: [{name: a, kind: slack, smtp: {password: x, smarthost: 'h:25'}}]",
            &["channels[0].smtp.smarthost: a key of Alertmanager"],
        ),
    ] {
        let problems = problems_of(text);
        for answer in answers {
            assert!(problems.contains(answer), "{text}: {problems}");
        }
    }
}

#[test]
fn an_empty_file_gives_the_defaults() {
    for text in ["", "# nothing\n", "{}", "route:\nauth:\n", "~"] {
        let loaded = load(text).unwrap();

        assert_eq!(loaded.config.channels[0].name, "console");
        assert_eq!(loaded.config.channels[0].kind, "log");
        assert_eq!(loaded.config.route.channels, ["console"]);
    }
}

#[test]
fn what_is_kept_for_ever_says_so() {
    let text = "retention: {notifications: forever, incidents: forever, events: 90d}";
    let retention = load(text).unwrap().config.retention;

    assert_eq!((retention.notifications, retention.incidents), (Keep(None), Keep(None)));
    assert_eq!(retention.events.to_string(), "90d");
    assert_eq!(retention.audit, RetentionConfig::default().audit);
}

#[test]
fn everything_goes_to_the_first_channel_when_no_route_says_otherwise() {
    let loaded = load("channels: [{name: a, kind: log}, {name: b, kind: log}]").unwrap();

    assert_eq!(loaded.config.route.channels, ["a"]);
}

#[test]
fn secrets_come_from_the_environment_and_from_files() {
    let env = |name: &str| (name == "URL").then(|| "https://hooks.example/x: y # {z}".to_owned());
    let text = "
storage: {url_file: secrets/url}
channels: [{name: a, kind: slack, webhook_url: '${URL}', smtp: {password_file: secrets/url}}]";
    let config = parse(text, &fixtures(), &env, &kinds()).unwrap().config;

    assert_eq!(config.storage.url.expose(), "sqlite://from-a-file.db");
    let settings = &config.channels[0].settings;
    assert_eq!(settings["webhook_url"], "https://hooks.example/x: y # {z}");
    assert_eq!(settings["smtp"], json!({"password": "sqlite://from-a-file.db"}));
}

#[test]
fn scalars_get_the_type_of_their_place() {
    let env = |name: &str| match name {
        "PORT" => Some("2525".to_owned()),
        "TLS" => Some("true".to_owned()),
        _ => None,
    };
    let text = "
severity: {aliases: {1: critical, P0: high}}
channels:
  - {name: 007, kind: slack, channel: 1.10, smtp: {password: 0123, port: '${PORT}', starttls: '${TLS}'}}
incidents: {stale_after: 1h}
delivery: {concurrency: '${NONE:-3}'}";
    let config = parse(text, Path::new(""), &env, &kinds()).unwrap().config;

    assert_eq!(config.channels[0].name, "007");
    assert_eq!(config.channels[0].settings["channel"], "1.10");
    let smtp = &config.channels[0].settings["smtp"];
    assert_eq!(*smtp, json!({"password": "0123", "port": 2525, "starttls": true}));
    assert_eq!(config.delivery.concurrency, 3);
    assert_eq!(config.severity.aliases.len(), 2);
}

#[test]
fn anchors_and_merge_keys_work() {
    let text = "
channels:
  - &base {name: a, kind: log, timeout: 3s}
  - {<<: *base, name: b}";
    let config = load(text).unwrap().config;

    assert_eq!(config.channels[1].name, "b");
    assert_eq!(config.channels[1].timeout, config.channels[0].timeout);
}

#[test]
fn paths_are_relative_to_the_file_and_urls_lose_their_last_slash() {
    let text = "{templates_dir: t, server: {external_url: 'https://x.example/pager/'}}";
    let config = parse(text, Path::new("/etc/modelpager"), &no_env, &kinds()).unwrap().config;

    assert_eq!(config.templates_dir.unwrap(), Path::new("/etc/modelpager/t"));
    assert_eq!(config.server.external_url, "https://x.example/pager");
}

#[test]
fn listening_openly_needs_tokens_or_the_word_for_it() {
    let token = "auth: {tokens: [{name: a, token: 0123456789abcdef, scopes: [admin]}]}";
    for (listen, extra, is_fine) in [
        ("127.0.0.1:1", "", true),
        ("localhost:1", "", true),
        ("'[::1]:1'", "", true),
        ("0.0.0.0:1", "", false),
        ("':1'", "", false),
        ("10.0.0.1:1", token, true),
        ("10.0.0.1:1", "auth: {tokens: []}", false),
    ] {
        let text = format!("server: {{listen: {listen}}}\n{extra}");

        assert_eq!(load(&text).is_ok(), is_fine, "{text}");
    }
    assert!(load("server: {listen: '0.0.0.0:1', allow_unauthenticated: true}").is_ok());
}

#[test]
fn the_digest_tells_files_apart() {
    let digest = |text| load(text).unwrap().digest;

    assert_eq!(digest("{}"), digest("{}"));
    assert_ne!(digest("{}"), digest("{} "));
    assert_eq!(digest("{}").len(), 64);
}

#[test]
fn what_people_look_at_holds_no_secret() {
    let text = format!(
        "
storage: {{url: 'postgres://user:{CANARY}@db.example/pager?password={CANARY}'}}
auth: {{tokens: [{{name: a, token: {CANARY}-{CANARY}, scopes: [read]}}]}}
channels:
  - {{name: a, kind: slack, channel: team, webhook_url: 'https://{CANARY}', headers: {{x: {CANARY}}},
     smtp: {{port: 25, password: {CANARY}}}}}"
    );
    let loaded = load(&text).unwrap();
    let shown = loaded.redacted_json().to_string();

    assert!(!shown.contains(CANARY), "{shown}");
    assert_eq!(loaded.redacted_json()["storage"]["url"], "postgres://user:<secret>@db.example/pager");
    assert_eq!(loaded.redacted_json()["channels"][0]["headers"]["x"], "<secret>");
    assert_eq!(loaded.redacted_json()["channels"][0]["channel"], "team");
    assert!(!format!("{loaded:?}").contains(CANARY));
    assert!(!serde_json::to_string(&loaded.config).unwrap().contains(CANARY));
}

#[test]
fn a_caller_s_problems_find_their_lines() {
    let loaded = load("channels:\n  - name: a\n    kind: slack\n    smtp: {port: 1, password: x}\n").unwrap();
    let found = [
        ("channels[0].smtp.port".to_owned(), "taken".to_owned()),
        ("route.channels".to_owned(), "odd".to_owned()),
    ];

    let problems = loaded.problems(found).unwrap().to_string();
    assert_eq!(
        problems,
        "modelpager.yml:1:1: route.channels: odd\nmodelpager.yml:4:18: channels[0].smtp.port: taken"
    );
    assert!(loaded.problems([]).is_none());
}

#[test]
fn the_editor_schema_takes_what_loads_and_the_twins_of_secrets() {
    let schema = schema(&kinds());
    let validator = jsonschema::draft202012::new(&schema).unwrap();
    let good = json!({
        "storage": {"url_file": "x"},
        "severity": {"default": "low"},
        "auth": {"tokens": [{"name": "a", "token_file": "t", "scopes": ["read"]}]},
        "channels": [{"name": "a", "kind": "slack", "smtp": {"password_file": "p"}, "webhook_url_file": "w"}],
    });
    let errors: Vec<String> = validator.iter_errors(&good).map(|error| error.to_string()).collect();

    assert_eq!(errors, Vec::<String>::new());
    for bad in [
        json!({"auth": {"tokens": [{"name": "a", "scopes": ["read"]}]}}),
        json!({"channels": [{"name": "a", "kind": "fax"}]}),
        json!({"channels": [{"name": "a", "kind": "log", "webhook_url": "x"}]}),
        json!({"severity": {"default": "worst"}}),
    ] {
        assert!(!validator.is_valid(&bad), "{bad}");
    }
}

#[test]
fn deep_files_are_refused_or_read_but_never_overflow_the_stack() {
    let nested = |depth: usize| {
        let open = "{matchers: ['a=\"b\"'], routes: [".repeat(depth);
        format!("route: {{routes: [{open}{}]}}", "]}".repeat(depth))
    };

    assert!(load(&nested(25)).is_ok());
    assert!(problems_of(&nested(40)).contains("too deeply nested"));
    assert!(load(&format!("a: {}", "[".repeat(100_000))).is_err());
}

#[test]
fn a_file_that_cannot_be_read_is_a_problem() {
    let missing = load_file(Path::new("/nonexistent/x.yml"), &no_env, &kinds()).unwrap_err().to_string();

    assert!(missing.starts_with("/nonexistent/x.yml: reading the configuration file"), "{missing}");
}

/// Places for secrets, right and wrong ones.
const PLACES: &[&str] = &[
    "storage: {url: @}",
    "storage: {url: postgres://u:@@h/d, url_file: x}",
    "storage:\n  url: @\n  max_connections: @",
    "auth: {tokens: [{name: a, token: @, scopes: [raed]}]}",
    "auth: {tokens: [{name: a, token: [@], scopes: x}]}",
    "channels: [{name: a, kind: slack, webhook_url: @, smtp: {password: @, port: 70000}}]",
    "channels: [{name: a, kind: slack, webhook_url: {x: @}}]",
    "channels: [{name: a, kind: slack, webhook_ur: @}]",
    "channels:\n- name: a\n  kind: slack\n  headers: {authorization: @}\n  smtp: @\n",
    "channels: [{name: a, kind: slack, webhook_url: '${SECRET}', channel: [1]}]",
    "server: {listen: '${SECRET}', external_url: 'x${SECRET}', max_body_bytes: '${SECRET}'}",
    "route: {matchers: ['${SECRET}'], repeat_interval: '${SECRET}', channels: ['${SECRET}']}",
    "severity: {default: '${SECRET}'}\nchannels: [{name: '${SECRET}', kind: '${SECRET}'}]",
];

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in "\\PC{0,200}") {
        let _ = load(&text);
    }

    #[test]
    fn no_yaml_makes_it_panic(words in prop::collection::vec(prop::sample::select(vec![
        "server", "channels", "route", "routes", "name", "kind", "slack", "smtp", ": ", ":\n  ", "\n", "- ",
        "  ", "{", "}", "[", "]", ", ", "&a ", "*a", "<<", "'", "\"", "|\n", "!t ", "${X", "}", "$$", "~", "12",
        "0x1f", "1e999", "true", "---\n", "#", "? ", "\t", "password_file", "é", "\u{feff}",
    ]), 0..40)) {
        let _ = load(&words.concat());
    }

    #[test]
    fn no_problem_shows_a_secret(
        place in prop::sample::select(PLACES),
        before in "[ \\-*&!|>%@`'\"#{}\\[\\],:?a$]{0,3}",
        after in "[ \\-*&!|>%@`'\"#{}\\[\\],:?a\n]{0,3}",
    ) {
        let text = place.replace('@', &format!("{before}{CANARY}{after}"));
        let env = |name: &str| (name == "SECRET").then(|| format!("{before}{CANARY}{after}"));
        match parse(&text, Path::new(""), &env, &kinds()) {
            Ok(loaded) => {
                let is_in_name = place.contains("name: '$");
                prop_assert!(is_in_name || !format!("{loaded:?}").contains(CANARY), "{:?}", loaded);
            }
            Err(problems) => prop_assert!(!problems.to_string().contains(CANARY), "{}\n{}", text, problems),
        }
    }
}
