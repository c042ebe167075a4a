//! When the alert about a channel fires, is renewed and ends.

use super::*;

const START: i64 = 1_787_220_000_000;
const KEEP_ALIVE: Duration = Duration::from_secs(3_600);

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_millis(START + seconds * 1_000)
}

fn millis(seconds: i64) -> Option<i64> {
    Some(at(seconds).as_millis())
}

fn fine() -> AlarmRow {
    AlarmRow { channel: "chat".to_owned(), breaker: "closed".to_owned(), ..AlarmRow::default() }
}

fn open(second: i64) -> AlarmRow {
    AlarmRow {
        breaker: "open".to_owned(),
        opened_at: millis(second),
        opened_reason: Some("answered HTTP 401".to_owned()),
        ..fine()
    }
}

fn step_at(row: &AlarmRow, second: i64) -> Step {
    step(row, true, KEEP_ALIVE, at(second))
}

/// The row after a step was taken.
fn taken(row: &AlarmRow, step: &Step) -> AlarmRow {
    let alarm = match step {
        Step::Rest => return row.clone(),
        Step::Note(alarm) | Step::Fire(alarm, _) => *alarm,
        Step::End => Alarm::default(),
    };
    AlarmRow {
        alert_since: alarm.since.map(Timestamp::as_millis),
        alert_severity: alarm.severity.map(str::to_owned),
        alert_told_at: alarm.told_at.map(Timestamp::as_millis),
        alert_calm_since: alarm.calm_since.map(Timestamp::as_millis),
        ..row.clone()
    }
}

fn fired(row: &AlarmRow, second: i64) -> AlarmRow {
    let step = step_at(row, second);
    assert!(matches!(step, Step::Fire(..)), "{step:?}");
    taken(row, &step)
}

#[test]
fn a_channel_that_works_raises_nothing() {
    let delivered = AlarmRow { last_success_at: millis(5), given_up_at: millis(4), ..fine() };

    assert_eq!(step_at(&fine(), 10), Step::Rest);
    assert_eq!(step_at(&delivered, 10), Step::Rest);
}

#[test]
fn an_open_breaker_is_critical_and_told_once() {
    let Step::Fire(alarm, trouble) = step_at(&open(3), 4) else { panic!("not told") };
    assert_eq!(
        (trouble.severity, alarm.since, alarm.told_at),
        (Severity::Critical, Some(at(3)), Some(at(4)))
    );

    let told = fired(&open(3), 4);
    assert_eq!(step_at(&told, 5), Step::Rest);
    assert_eq!(step_at(&told, 3_603), Step::Rest);
    assert!(matches!(step_at(&told, 3_604), Step::Fire(..)), "it is kept alive");
}

#[test]
fn a_message_given_up_is_high_and_rises_when_the_breaker_opens() {
    let given_up = AlarmRow { given_up_at: millis(1), last_success_at: millis(0), ..fine() };
    let told = fired(&given_up, 2);
    assert_eq!(told.alert_severity.as_deref(), Some("high"));

    let worse = AlarmRow { breaker: "open".to_owned(), opened_at: millis(9), ..told };
    let told = fired(&worse, 10);

    assert_eq!((told.alert_severity.as_deref(), told.alert_since), (Some("critical"), millis(1)));
    // Closed by hand, nothing delivered yet: no news.
    assert_eq!(step_at(&AlarmRow { breaker: "closed".to_owned(), ..told }, 11), Step::Rest);
}

#[test]
fn it_ends_after_a_calm_time_and_a_relapse_is_the_same_incident() {
    let told = fired(&open(0), 1);
    let works = AlarmRow { breaker: "closed".to_owned(), last_success_at: millis(60), ..told };
    let step = step_at(&works, 60);
    assert!(matches!(step, Step::Note(Alarm { calm_since: Some(_), .. })), "{step:?}");
    let calm = taken(&works, &step);
    assert_eq!(step_at(&calm, 179), Step::Rest);
    assert_eq!(step_at(&calm, 180), Step::End);

    let relapsed = AlarmRow { breaker: "open".to_owned(), opened_at: millis(100), ..calm };
    let step = step_at(&relapsed, 100);
    assert!(matches!(step, Step::Note(Alarm { calm_since: None, .. })), "{step:?}");
    assert_eq!(step_at(&taken(&relapsed, &step), 400), Step::Rest);
}

#[test]
fn the_alert_about_a_channel_that_is_gone_ends_at_once() {
    let told = fired(&open(0), 1);

    assert_eq!(step(&told, false, KEEP_ALIVE, at(2)), Step::End);
    assert_eq!(step(&open(0), false, KEEP_ALIVE, at(2)), Step::Rest);
}
