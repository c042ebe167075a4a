//! Keys of `alertmanager.yml`: what they are called here, or that there is no such thing.

/// Where a key stands in `alertmanager.yml`.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Level {
    /// At the top of the file.
    Top,
    /// In a route.
    Route,
    /// In `global`, a receiver or one of its `*_configs`.
    Channel,
}

use Level::{Channel, Route, Top};

const ANSWERS: &[(Level, &str, &str)] = &[
    (Top, "global", "there is no `global`: what it sets stands in each of `channels`"),
    (
        Top,
        "receivers",
        "destinations are `channels` here, one for each of the `*_configs`, with `name` and `kind`",
    ),
    (Top, "receiver", "destinations are `channels` here, a list; a route names them under its `channels`"),
    (Top, "templates", "a folder of templates is `templates_dir` here"),
    (
        Top,
        "inhibit_rules",
        "inhibition does not exist here: keep it in Alertmanager, which sends what is not inhibited",
    ),
    (
        Top,
        "mute_time_intervals",
        "muting does not exist here: keep it in Alertmanager, which sends what is not muted",
    ),
    (Top, "time_intervals", "time intervals do not exist here: keep them in Alertmanager"),
    (Top, "tracing", "tracing does not exist here"),
    (Top, "routes", "the routing tree is `route`, as in Alertmanager; its children are `routes`"),
    (Route, "receiver", "a route names its destinations under `channels`, a list"),
    (Route, "receivers", "a route names its destinations under `channels`, a list"),
    (Route, "match", "write it under `matchers`: `team: ml` becomes `'team=\"ml\"'`"),
    (Route, "match_re", "write it under `matchers`: `team: ml|data` becomes `'team=~\"ml|data\"'`"),
    (Route, "group_by", "grouping by labels does not exist here: alerts of one `dedup_key` are one incident"),
    (Route, "group_wait", "`group_wait` does not exist here: what is new is told at once"),
    (Route, "mute_time_intervals", "muting does not exist here: keep it in Alertmanager"),
    (Route, "active_time_intervals", "time intervals do not exist here: keep them in Alertmanager"),
    (Channel, "resolve_timeout", "the nearest thing is `incidents.stale_after`"),
    (Channel, "smtp_smarthost", "write `smtp: {host: …, port: …}` in a channel of kind `email`"),
    (Channel, "smarthost", "write `smtp: {host: …, port: …}`"),
    (Channel, "smtp_from", "write `from` in a channel of kind `email`"),
    (Channel, "smtp_hello", "write `smtp: {helo: …}` in a channel of kind `email`"),
    (Channel, "hello", "write `smtp: {helo: …}`"),
    (Channel, "smtp_auth_username", "write `smtp: {username: …}` in a channel of kind `email`"),
    (Channel, "auth_username", "write `smtp: {username: …}`"),
    (Channel, "smtp_auth_password", "write `smtp: {password: …}` in a channel of kind `email`"),
    (Channel, "smtp_auth_password_file", "write `smtp: {password_file: …}` in a channel of kind `email`"),
    (Channel, "auth_password", "write `smtp: {password: …}`"),
    (Channel, "auth_password_file", "write `smtp: {password_file: …}`"),
    (
        Channel,
        "smtp_require_tls",
        "write `smtp: {tls: starttls}` (the default) or `none` in a channel of kind `email`",
    ),
    (Channel, "require_tls", "write `smtp: {tls: starttls}` (the default) or `none`"),
    (Channel, "slack_api_url", "write `webhook_url` in a channel of kind `slack`"),
    (Channel, "slack_api_url_file", "write `webhook_url_file` in a channel of kind `slack`"),
    (Channel, "api_url", "write `webhook_url`"),
    (Channel, "api_url_file", "write `webhook_url_file`"),
    (Channel, "pagerduty_url", "PagerDuty's address is set in a channel of kind `pagerduty`"),
    (Channel, "service_key", "write `routing_key` (Events API v2)"),
    (
        Channel,
        "slack_configs",
        "a channel of kind `slack` takes its place: the keys stand in the channel itself",
    ),
    (
        Channel,
        "email_configs",
        "a channel of kind `email` takes its place: the keys stand in the channel itself",
    ),
    (
        Channel,
        "pagerduty_configs",
        "a channel of kind `pagerduty` takes its place: the keys stand in the channel itself",
    ),
    (
        Channel,
        "webhook_configs",
        "a channel of kind `webhook` takes its place: the keys stand in the channel itself",
    ),
    (
        Channel,
        "opsgenie_configs",
        "Opsgenie has no kind of its own: a channel of kind `webhook` reaches any program",
    ),
    (
        Channel,
        "max_alerts",
        "`max_alerts` does not exist here: messages are fitted to their provider's limits",
    ),
    (Channel, "receiver", "a channel is a destination itself: routes name it under their `channels`"),
];

/// What to write instead of an unknown key at a JSON pointer, when it is one of Alertmanager's.
pub(super) fn answer(at: &str, key: &str) -> Option<String> {
    let level = match at {
        "" => Top,
        _ if at == "/route" || at.starts_with("/route/") => Route,
        _ if at.starts_with("/channels/") || at.starts_with("/global") || at.starts_with("/receivers") => {
            Channel
        }
        _ => return None,
    };
    let of_level = |wanted: Level| ANSWERS.iter().find(|(l, known, _)| *l == wanted && *known == key);
    // At the top, where somebody may have put what belongs to `global`, any answer helps.
    let found = of_level(level)
        .or_else(|| if level == Top { of_level(Channel).or_else(|| of_level(Route)) } else { None });
    found.map(|(_, _, answer)| (*answer).to_owned())
}
