//! Times as people read them: how long ago, or the clock of their own zone; the exact value in
//! their zone and in UTC stands behind it.

use std::time::Duration;

use maud::{Markup, html};

use crate::domain::clock::Timestamp;
use crate::web::ui::viewer::Viewer;

/// How long ago, or in how long.
pub fn ago(viewer: &Viewer, at: impl Into<Timestamp>) -> Markup {
    let at = at.into();
    html! {
        time datetime=(at) title=(exact(viewer, at)) data-relative { (relative(viewer.now, at)) }
    }
}

/// The same, or a dash.
pub fn ago_or_dash(viewer: &Viewer, at: Option<impl Into<Timestamp>>) -> Markup {
    match at {
        Some(at) => ago(viewer, at),
        None => html! { span.quiet { "–" } },
    }
}

/// Date and time of day.
pub fn clock(viewer: &Viewer, at: impl Into<Timestamp>) -> Markup {
    let at = at.into();
    html! {
        time datetime=(at) title=(exact(viewer, at)) { (written(viewer, at, "%Y-%m-%d %H:%M:%S")) }
    }
}

/// In words for what cannot be an element, such as a tool tip.
pub fn exact(viewer: &Viewer, at: Timestamp) -> String {
    format!("{} ({at})", written(viewer, at, "%a %Y-%m-%d %H:%M:%S%.3f %Z"))
}

/// As `format` says, in the viewer's zone.
pub fn written(viewer: &Viewer, at: Timestamp, format: &str) -> String {
    let moment = jiff::Timestamp::from_millisecond(at.as_millis()).unwrap_or_default();
    moment.to_zoned(viewer.taste.zone.clone()).strftime(format).to_string()
}

/// How long ago, in the greatest unit that fits; the page's script says the same.
fn relative(now: Timestamp, at: Timestamp) -> String {
    let (distance, is_past) = if at > now { (at.since(now), false) } else { (now.since(at), true) };
    let seconds = distance.as_secs();
    let text = match seconds {
        0..60 => return "just now".to_owned(),
        60..3_600 => format!("{} min", seconds / 60),
        3_600..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} d", seconds / 86_400),
    };
    if is_past { format!("{text} ago") } else { format!("in {text}") }
}

/// A length of time, with its two greatest units; the second is left out when it is zero.
pub fn span(duration: Duration) -> String {
    let millis = duration.as_millis();
    let seconds = duration.as_secs();
    let (greater, lesser) = match seconds {
        0 => return format!("{millis} ms"),
        1..60 => return format!("{}.{} s", seconds, (millis % 1_000) / 100),
        60..3_600 => ((seconds / 60, "min"), (seconds % 60, "s")),
        3_600..86_400 => ((seconds / 3_600, "h"), (seconds / 60 % 60, "min")),
        _ => ((seconds / 86_400, "d"), (seconds / 3_600 % 24, "h")),
    };
    let text = format!("{} {}", greater.0, greater.1);
    if lesser.0 == 0 { text } else { format!("{text} {} {}", lesser.0, lesser.1) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_is_shown_in_the_greatest_unit_that_fits() {
        let at = |seconds: i64| Timestamp::from_millis(1_787_000_000_000 + seconds * 1_000);

        assert_eq!(relative(at(0), at(0)), "just now");
        assert_eq!(relative(at(59), at(0)), "just now");
        assert_eq!(relative(at(61), at(0)), "1 min ago");
        assert_eq!(relative(at(7_300), at(0)), "2 h ago");
        assert_eq!(relative(at(0), at(7_300)), "in 2 h");
        assert_eq!(relative(at(3 * 86_400), at(0)), "3 d ago");
        assert_eq!(span(Duration::from_millis(131)), "131 ms");
        assert_eq!(span(Duration::from_millis(2_345)), "2.3 s");
        assert_eq!(span(Duration::from_secs(90_061)), "1 d 1 h");
        assert_eq!(span(Duration::from_secs(14 * 60)), "14 min");
        assert_eq!(span(Duration::from_secs(14 * 60 + 5)), "14 min 5 s");
    }
}
