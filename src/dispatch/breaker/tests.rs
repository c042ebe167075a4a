//! The breaker on a clock of numbers.

use proptest::prelude::*;

use super::*;

const START: Timestamp = Timestamp::from_millis(1_787_220_000_000);

fn at(seconds: u64) -> Timestamp {
    START.plus(Duration::from_secs(seconds))
}

fn heard(pass: Pass, evidence: Evidence, second: u64) -> Heard<'static> {
    Heard { pass, evidence, began_at: at(second), ended_at: at(second), error: "connection refused" }
}

fn note(breaker: &mut Breaker, pass: Pass, evidence: Evidence, second: u64) {
    breaker.note(&heard(pass, evidence, second), 0.0);
}

fn refused_at(second: u64) -> Breaker {
    let mut breaker = Breaker::default();
    note(&mut breaker, Pass::Regular, Evidence::Refuses, second);
    breaker
}

fn probed(breaker: &mut Breaker, evidence: Evidence, second: u64) {
    assert!(breaker.begin_probe(at(second), at(second + 75)), "{breaker:?}");
    note(breaker, Pass::Probe, evidence, second);
}

#[test]
fn many_failures_over_some_time_open_it() {
    let mut breaker = Breaker::default();
    for second in [0, 5, 10, 15, 29] {
        note(&mut breaker, Pass::Regular, Evidence::Fails, second);
        assert_eq!(breaker.permit(at(second)), Permit::Go, "at {second}");
    }

    note(&mut breaker, Pass::Regular, Evidence::Fails, 30);

    assert_eq!(breaker.permit(at(30)), Permit::WaitUntil(at(45)));
    let outage = breaker.state().outage().unwrap();
    assert_eq!((outage.since, outage.reason.as_str()), (at(30), "connection refused"));
}

#[test]
fn few_failures_do_not_open_it_however_long_they_last() {
    let mut breaker = Breaker::default();
    for second in [0, 1_000, 2_000, 3_000] {
        note(&mut breaker, Pass::Regular, Evidence::Fails, second);
    }

    assert_eq!(*breaker.state(), State::Closed);
}

#[test]
fn a_success_in_between_begins_the_count_anew() {
    let mut breaker = Breaker::default();
    for second in 0..60 {
        let evidence = if second % 5 == 4 { Evidence::Works } else { Evidence::Fails };
        note(&mut breaker, Pass::Regular, evidence, second);
    }

    assert_eq!(*breaker.state(), State::Closed);
}

#[test]
fn throttling_and_refusals_of_one_message_do_not_open_it() {
    let mut breaker = Breaker::default();
    for second in 0..600 {
        note(&mut breaker, Pass::Regular, Evidence::Answers, second);
    }

    assert_eq!(*breaker.state(), State::Closed);
}

#[test]
fn a_refusal_of_the_channel_opens_it_at_once() {
    for status in [401, 403, 404, 410] {
        let report = SendReport::failed(SendOutcome::Rejected, Some(status), "no");
        assert_eq!(Evidence::of(&report), Evidence::Refuses, "{status}");
    }
    for status in [400, 405, 413, 422] {
        let report = SendReport::failed(SendOutcome::Rejected, Some(status), "no");
        assert_eq!(Evidence::of(&report), Evidence::Answers, "{status}");
    }
    let throttled = SendReport {
        slows_channel: true,
        ..SendReport::failed(SendOutcome::NotProcessed, Some(429), "slower")
    };
    assert_eq!(Evidence::of(&throttled), Evidence::Answers);

    assert_eq!(refused_at(0).permit(at(0)), Permit::WaitUntil(at(15)));
}

#[test]
fn one_probe_goes_and_its_success_closes_it() {
    let mut breaker = refused_at(0);
    assert!(!breaker.begin_probe(at(14), at(90)));
    assert_eq!(breaker.permit(at(15)), Permit::Probe);
    assert!(breaker.begin_probe(at(15), at(90)));
    assert!(!breaker.begin_probe(at(16), at(91)));
    assert_eq!(breaker.permit(at(16)), Permit::WaitUntil(at(90)));

    note(&mut breaker, Pass::Probe, Evidence::Works, 17);

    assert_eq!(breaker.permit(at(17)), Permit::Go);
}

#[test]
fn waits_between_probes_double_up_to_the_cap() {
    let mut breaker = refused_at(0);
    let mut waits = Vec::new();
    let mut now = 15;
    for _ in 0..7 {
        probed(&mut breaker, Evidence::Fails, now);
        let next = breaker.state().outage().unwrap().probe_at;
        waits.push(next.since(at(now)).as_secs());
        now += waits.last().unwrap();
    }

    assert_eq!(waits, [30, 60, 120, 240, 300, 300, 300]);
}

#[test]
fn a_probe_that_never_came_back_makes_room_for_another() {
    let mut breaker = refused_at(0);
    assert!(breaker.begin_probe(at(15), at(90)));

    assert_eq!(breaker.permit(at(90)), Permit::Probe);
    assert!(breaker.begin_probe(at(90), at(165)));
}

#[test]
fn a_probe_with_nothing_to_send_costs_no_time() {
    let mut breaker = refused_at(0);
    assert!(breaker.begin_probe(at(15), at(90)));
    breaker.forgo_probe(at(15), at(90));
    assert_eq!(breaker.permit(at(15)), Permit::Probe);

    probed(&mut breaker, Evidence::None, 16);

    assert_eq!(breaker.permit(at(16)), Permit::Probe);
}

#[test]
fn a_probe_answered_for_itself_alone_proves_nothing() {
    let mut breaker = refused_at(0);
    probed(&mut breaker, Evidence::Fails, 15);
    probed(&mut breaker, Evidence::Answers, 45);

    assert_eq!(breaker.permit(at(46)), Permit::WaitUntil(at(60)));
    assert_eq!(breaker.state().outage().unwrap().failed_probes, 1);
}

#[test]
fn what_was_under_way_when_it_opened_proves_nothing_by_success_and_spoils_nothing_by_failure() {
    let mut breaker = refused_at(10);
    let early = Heard { began_at: at(9), ..heard(Pass::Regular, Evidence::Works, 11) };
    breaker.note(&early, 0.0);
    note(&mut breaker, Pass::Regular, Evidence::Fails, 12);
    assert_eq!(breaker.permit(at(12)), Permit::WaitUntil(at(25)));

    // Another replica had not heard of the outage.
    note(&mut breaker, Pass::Regular, Evidence::Works, 13);

    assert_eq!(breaker.permit(at(13)), Permit::Go);
}

#[test]
fn what_began_before_it_was_closed_does_not_open_it_again() {
    let mut breaker = refused_at(0);
    breaker.close(at(20));

    let old = Heard { began_at: at(19), ..heard(Pass::Probe, Evidence::Refuses, 21) };
    breaker.note(&old, 0.0);
    assert_eq!(breaker.permit(at(21)), Permit::Go);

    note(&mut breaker, Pass::Regular, Evidence::Refuses, 22);
    assert_ne!(breaker.permit(at(22)), Permit::Go);
}

#[test]
fn a_test_that_arrives_closes_it_and_one_that_fails_changes_nothing() {
    let mut breaker = refused_at(0);
    note(&mut breaker, Pass::Trial, Evidence::Fails, 5);
    assert_eq!(breaker.permit(at(5)), Permit::WaitUntil(at(15)));

    note(&mut breaker, Pass::Trial, Evidence::Works, 6);

    assert_eq!(breaker.permit(at(6)), Permit::Go);
}

/// What may happen to a breaker, each after some seconds.
#[derive(Clone, Copy, Debug)]
enum Step {
    Look,
    End(Evidence),
    Trial(Evidence),
    Straggler(Evidence),
    Forgo,
    Reset,
}

fn evidence() -> impl Strategy<Value = Evidence> {
    prop_oneof![
        3 => Just(Evidence::Fails),
        1 => Just(Evidence::Works),
        1 => Just(Evidence::Refuses),
        1 => Just(Evidence::Answers),
        1 => Just(Evidence::None),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => Just(Step::Look),
        6 => evidence().prop_map(Step::End),
        1 => evidence().prop_map(Step::Trial),
        2 => evidence().prop_map(Step::Straggler),
        1 => Just(Step::Forgo),
        1 => Just(Step::Reset),
    ]
}

proptest! {
    #[test]
    fn never_two_probes_at_a_time_and_nothing_before_the_probe_is_due(
        steps in prop::collection::vec((0_u64..40, step(), 0.0_f64..1.0), 1..200)
    ) {
        let mut breaker = Breaker::default();
        let mut now = 0;
        // The probe under way and when it counts as lost; the sends under way.
        let mut probe: Option<u64> = None;
        let mut sends = 0_u32;
        for (passed, step, fraction) in steps {
            now += passed;
            let before = breaker.state().clone();
            probe = probe.filter(|lost_at| *lost_at > now);
            match step {
                Step::Look => match breaker.permit(at(now)) {
                    Permit::Go => {
                        prop_assert_eq!(&before, &State::Closed);
                        sends += 1;
                    }
                    Permit::Probe => {
                        prop_assert!(probe.is_none(), "a second probe");
                        prop_assert!(before.outage().is_some_and(|outage| outage.probe_at <= at(now)));
                        prop_assert!(breaker.begin_probe(at(now), at(now + 75)));
                        probe = Some(now + 75);
                    }
                    Permit::WaitUntil(until) => prop_assert!(until > at(now)),
                },
                Step::End(evidence) if probe.is_some() => {
                    probe = None;
                    breaker.note(&heard(Pass::Probe, evidence, now), fraction);
                    prop_assert_eq!(evidence == Evidence::Works, *breaker.state() == State::Closed);
                }
                Step::End(evidence) if sends > 0 => {
                    sends -= 1;
                    breaker.note(&heard(Pass::Regular, evidence, now), fraction);
                }
                Step::Trial(evidence) => breaker.note(&heard(Pass::Trial, evidence, now), fraction),
                Step::Straggler(evidence) => {
                    let straggler = Heard { began_at: START, ..heard(Pass::Regular, evidence, now) };
                    breaker.note(&straggler, fraction);
                }
                Step::Forgo if probe.is_some() => {
                    let lost_at = probe.take().map(at);
                    breaker.forgo_probe(at(now), lost_at.unwrap());
                }
                Step::Reset => breaker.close(at(now)),
                Step::End(_) | Step::Forgo => {}
            }
            // A channel that works has no probe; one under way then is an ordinary send.
            if *breaker.state() == State::Closed {
                probe = None;
            }
            if let Some(outage) = breaker.state().outage() {
                prop_assert!(outage.probe_at <= at(now).plus(LAST_PROBE));
            }
        }
    }
}
