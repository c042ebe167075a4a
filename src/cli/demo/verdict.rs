//! Whether the story ended as it should: the delivery log against what was expected, and
//! the receivers against the log.

use super::readers;
use super::receivers::Receivers;
use super::service::Logged;
use super::story::{Expected, STORY};

/// The verdict.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// How many expected messages were delivered.
    pub delivered: usize,
    /// How many were expected.
    pub expected: usize,
    /// What is missing or too much; empty when all is well.
    pub amiss: Vec<String>,
}

/// Judges the log alone.
pub fn judge_log(log: &[Logged]) -> Verdict {
    let expected: Vec<&Expected> = STORY.iter().flat_map(|step| step.expects).collect();
    let mut verdict = Verdict { expected: expected.len(), ..Verdict::default() };
    for wanted in &expected {
        let found: Vec<&Logged> =
            log.iter().filter(|logged| wanted.is(&logged.channel, &logged.dedup_key, &logged.kind)).collect();
        let name = format!("{} {} of {}", wanted.channel, wanted.kind, wanted.key);
        match found[..] {
            [] => verdict.amiss.push(format!("{name}: not in the delivery log")),
            [logged] if logged.state == "delivered" => verdict.delivered += 1,
            [logged] => verdict.amiss.push(format!("{name}: {}, {}", logged.state, logged.reason)),
            _ => verdict.amiss.push(format!("{name}: told {} times", found.len())),
        }
    }
    let is_known = |logged: &Logged| {
        expected.iter().any(|wanted| wanted.is(&logged.channel, &logged.dedup_key, &logged.kind))
    };
    for logged in log.iter().filter(|logged| !is_known(logged)) {
        let Logged { channel, kind, dedup_key, id, .. } = logged;
        verdict.amiss.push(format!("{channel} {kind} of {dedup_key}: nobody expected it ({id})"));
    }
    verdict
}

/// Judges log and receivers.
pub fn judge(log: &[Logged], receivers: &Receivers) -> Verdict {
    let mut verdict = judge_log(log);
    for (channel, received) in readers::received(receivers) {
        let told = log.iter().filter(|line| line.channel == channel && line.state == "delivered").count();
        if told != received {
            verdict
                .amiss
                .push(format!("{channel}: the log says {told} messages, the receiver has {received}"));
        }
    }
    verdict.amiss.extend(readers::loose_ends(receivers));
    verdict.amiss.extend(receivers.violations());
    verdict
}

#[cfg(test)]
mod tests {
    use super::*;

    fn delivered() -> Vec<Logged> {
        let line = |wanted: &Expected| Logged {
            id: "0".to_owned(),
            channel: wanted.channel.to_owned(),
            kind: wanted.kind.to_owned(),
            state: "delivered".to_owned(),
            dedup_key: wanted.key.to_owned(),
            attempt_count: 1,
            reason: String::new(),
        };
        STORY.iter().flat_map(|step| step.expects).map(line).collect()
    }

    #[test]
    fn a_complete_log_is_well() {
        let verdict = judge_log(&delivered());

        assert_eq!(verdict.amiss, Vec::<String>::new());
        assert_eq!(verdict.delivered, verdict.expected);
    }

    #[test]
    fn what_is_missing_failed_doubled_or_unknown_is_named() {
        let mut log = delivered();
        log[0].state = "failed".to_owned();
        log.push(log[1].clone());
        log.push(Logged { kind: "repeated".to_owned(), ..log[2].clone() });
        let missing = log.remove(3);

        let amiss = judge_log(&log).amiss.join("\n");

        for word in ["failed", "told 2 times", "nobody expected it", "not in the delivery log"] {
            assert!(amiss.contains(word), "{word}: {amiss}");
        }
        assert!(amiss.contains(&missing.kind));
    }
}
