//! What a routing tree says that cannot work although it can be read: conditions that never
//! hold, routes that are never reached, channels that are never sent through. Pure.

use std::collections::BTreeSet;

use super::rules::severity_table;
use crate::config::{ChannelConfig, Config, RouteConfig};
use crate::domain::matcher::{Matcher, Matchers};
use crate::domain::severity::SeverityTable;

mod logic;
mod values;
mod words;

#[cfg(test)]
mod tests;

/// Something that probably does not do what its writer meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouteWarning {
    /// The key: `route.routes[1].matchers[0]`.
    pub key: String,
    /// Why, and what to write instead.
    pub message: String,
}

/// Everything of that sort in the routes and channels of a configuration.
pub fn warnings(config: &Config) -> Vec<RouteWarning> {
    let severity = severity_table(config);
    let mut walk = Walk { config, severity: &severity, led_to: BTreeSet::new(), found: Vec::new() };
    walk.route(&config.route, "route", &[], Reach::Reached);
    walk.channels();
    walk.found
}

/// Whether alerts can come to a route.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reach {
    Reached,
    Never,
}

struct Walk<'c> {
    config: &'c Config,
    severity: &'c SeverityTable,
    /// Channels of routes that can be reached.
    led_to: BTreeSet<&'c str>,
    found: Vec<RouteWarning>,
}

impl<'c> Walk<'c> {
    fn add(&mut self, key: String, message: String) {
        self.found.push(RouteWarning { key, message });
    }

    fn route(&mut self, route: &'c RouteConfig, at: &str, above: &[Matcher], reach: Reach) {
        let own = read_matchers(route);
        let is_possible = self.matchers(&own, at, above);
        let reach = if is_possible { reach } else { Reach::Never };
        if reach == Reach::Reached {
            self.led_to.extend(route.channels.iter().map(String::as_str));
        }
        self.disabled_channels(route, at);
        let here: Vec<Matcher> = above.iter().cloned().chain(own.into_iter().map(|(_, own)| own)).collect();
        self.children(route, at, &here, reach);
    }

    /// Looks at each condition and at all of one name together; answers whether all can hold.
    fn matchers(&mut self, own: &[(usize, Matcher)], at: &str, above: &[Matcher]) -> bool {
        let mut is_possible = true;
        for (position, (index, matcher)) in own.iter().enumerate() {
            let key = format!("{at}.matchers[{index}]");
            let doubts = words::doubts(matcher, self.severity);
            let is_doubted = !doubts.is_empty();
            for doubt in doubts {
                self.add(key.clone(), format!("`{matcher}`: {doubt}"));
            }
            let before = above.iter().chain(own[..position].iter().map(|(_, own)| own));
            let mut same: Vec<&Matcher> = before.filter(|other| other.name() == matcher.name()).collect();
            same.push(matcher);
            if !logic::can_hold(&same, self.severity) {
                is_possible = false;
                if !is_doubted {
                    let others: Vec<String> =
                        same[..same.len() - 1].iter().map(|m| format!("`{m}`")).collect();
                    let message = format!(
                        "`{matcher}` cannot hold together with {}: this route takes nothing; remove one of them",
                        others.join(" and ")
                    );
                    self.add(key, message);
                }
            }
        }
        is_possible
    }

    fn children(&mut self, route: &'c RouteConfig, at: &str, here: &[Matcher], reach: Reach) {
        let mut takers: Vec<(usize, Vec<Matcher>)> = Vec::new();
        for (index, child) in route.routes.iter().enumerate() {
            let key = format!("{at}.routes[{index}]");
            let own: Vec<Matcher> = read_matchers(child).into_iter().map(|(_, own)| own).collect();
            let all: Vec<Matcher> = here.iter().cloned().chain(own.iter().cloned()).collect();
            let taker = takers.iter().find(|(_, earlier)| logic::covers(earlier, &all, self.severity));
            let is_behind = taker.is_some();
            if let Some((earlier, matchers)) = taker {
                let message = format!(
                    "no alert comes here: `{at}.routes[{earlier}]` ({}) takes all of them before; \
                     put this route above it, or set `continue: true` there",
                    described(matchers)
                );
                self.add(key.clone(), message);
            }
            self.route(child, &key, here, if is_behind { Reach::Never } else { reach });
            let is_readable = own.len() == read_count(child);
            if !child.continue_ && !is_behind && is_readable {
                takers.push((index, own));
            }
        }
    }

    fn disabled_channels(&mut self, route: &RouteConfig, at: &str) {
        let is_disabled = |name: &String| {
            self.config.channels.iter().any(|channel| channel.name == *name && !channel.enabled)
        };
        if !route.channels.is_empty() && route.channels.iter().all(is_disabled) {
            let names = route.channels.join("`, `");
            self.add(
                format!("{at}.channels"),
                format!("nothing is sent by this route: `{names}` is disabled; name another, or set `enabled: true`"),
            );
        }
    }

    fn channels(&mut self) {
        let fallbacks = self.config.channels.iter().filter_map(|channel| channel.fallback.as_deref());
        let used: BTreeSet<&str> = fallbacks.chain(self.led_to.iter().copied()).collect();
        let is_idle = |channel: &ChannelConfig| channel.enabled && !used.contains(channel.name.as_str());
        let channels = self.config.channels.iter().enumerate();
        let idle: Vec<(usize, &str)> = channels
            .filter(|(_, channel)| is_idle(channel))
            .map(|(index, channel)| (index, channel.name.as_str()))
            .collect();
        for (index, name) in idle {
            let message = format!(
                "no route leads to the channel `{name}`: nothing is sent through it; \
                 name it under `channels` of a route, or set `enabled: false`"
            );
            self.add(format!("channels[{index}].name"), message);
        }
    }
}

/// The conditions of a route, each with the index of its text; faulty texts are left out.
fn read_matchers(route: &RouteConfig) -> Vec<(usize, Matcher)> {
    let texts = route.matchers.iter().enumerate();
    let parsed = texts.filter_map(|(index, text)| Some((index, Matchers::parse(text).ok()?)));
    parsed.flat_map(|(index, all)| all.iter().cloned().map(|one| (index, one)).collect::<Vec<_>>()).collect()
}

/// How many conditions a route would have if all of its texts could be read.
fn read_count(route: &RouteConfig) -> usize {
    Matchers::parse_all(&route.matchers).map_or(usize::MAX, |all| all.iter().count())
}

fn described(matchers: &[Matcher]) -> String {
    if matchers.is_empty() {
        return "without matchers".to_owned();
    }
    matchers.iter().map(|matcher| format!("`{matcher}`")).collect::<Vec<_>>().join(", ")
}
