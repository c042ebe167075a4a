//! Texts of every length and of every malice: the strict providers take all of them and
//! find no rule broken.

use super::*;
use crate::render::Link;

/// Around every limit that any provider is known to have.
const LENGTHS: [usize; 26] = [
    0, 1, 74, 75, 76, 149, 150, 151, 199, 200, 201, 254, 255, 256, 300, 301, 1023, 1024, 1025, 2999, 3000,
    3001, 4000, 4001, 70_000, 600_000,
];

async fn assert_accepted(case: &Case, what: &str, snapshot: &Snapshot, rendered: &Rendered) {
    let report = case.channel.send(&message(snapshot, rendered), LONG).await;
    assert_eq!(report.outcome, SendOutcome::Accepted, "{}, {what:?}: {report:?}", case.name);
    case.assert_clean();
}

#[tokio::test]
async fn texts_of_every_length_fit() {
    for case in Case::all(LONG).await {
        let snapshot = samples::firing();
        for length in LENGTHS {
            for character in ["x", "ü", "🚨", "&"] {
                let rendered = saying(case.kind, &character.repeat(length));

                assert_accepted(&case, &format!("{length} of {character}"), &snapshot, &rendered).await;
            }
            let lines = saying(case.kind, &"a line of text\n".repeat(length / 15));
            assert_accepted(&case, &format!("lines of {length}"), &snapshot, &lines).await;
        }
    }
}

#[tokio::test]
async fn links_of_every_number_and_length_fit() {
    let snapshot = samples::firing();
    for case in Case::all(LONG).await {
        for count in [0, 1, 5, 6, 25, 26, 200] {
            for length in [10, 75, 76, 2_990, 3_001, 9_000] {
                let link = |n: usize| Link {
                    name: format!("link{n}"),
                    label: "ü".repeat(length.min(500)),
                    url: format!("https://x.example/{}", "u".repeat(length)),
                };
                let mut rendered = saying(case.kind, "text");
                rendered.links = (0..count).map(link).collect();

                assert_accepted(&case, &format!("{count} links of {length}"), &snapshot, &rendered).await;
            }
        }
    }
}

#[tokio::test]
async fn links_that_are_none_are_left_out() {
    let snapshot = samples::firing();
    for case in Case::all(LONG).await {
        let mut rendered = saying(case.kind, "text");
        for url in ["javascript:alert(1)", "", "ftp://x.example/", "data:text/html,x", "mailto:a@b.c"] {
            rendered.links.push(Link {
                name: "x".to_owned(),
                label: "<!here>".to_owned(),
                url: url.to_owned(),
            });
        }

        assert_accepted(&case, "no web links", &snapshot, &rendered).await;
    }
}

#[tokio::test]
async fn snapshots_of_any_size_fit() {
    for case in Case::all(LONG).await {
        for size in [1_000, 20_000, 300_000] {
            let huge = "ü\u{1}\"".repeat(size / 3);
            let mut snapshot = samples::several();
            snapshot.reason.clone_from(&huge);
            snapshot.incident.alertname.clone_from(&huge);
            snapshot.incident.entry.clone_from(&huge);
            snapshot.incident.dedup_key.clone_from(&huge);
            for member in &mut snapshot.alerts {
                member.annotations.insert("description".to_owned(), huge.clone());
                member.labels.insert(huge.clone(), "x".to_owned());
            }
            let mut rendered = saying(case.kind, "text");
            rendered.problem = Some(huge);

            assert_accepted(&case, &format!("snapshot of {size}"), &snapshot, &rendered).await;
        }
    }
}

#[tokio::test]
async fn hostile_texts_are_harmless() {
    let texts = [
        "<!channel> <!here> <!everyone> <@U012AB3CD> <!subteam^S1|x> @channel @here",
        "<https://evil.example|https://bank.example> [x](https://evil.example)",
        "Subject\r\nBcc: everybody@example.org\r\n\r\nbody",
        "x\n.\nQUIT\n..\n.x\r\n.\r\nMAIL FROM:<evil@example.org>",
        "\u{0}\u{1b}[2J\u{7}\u{8}\u{7f}\u{9b}31m",
        "\u{202e}gnihsihp\u{202c} \u{2066}x\u{2069} \u{feff}\u{200b}",
        "</td><script>alert(1)</script>\"'><img src=x onerror=alert(1)>",
        "{{secret}} ${ENV} %s %n `id` $(id) ';--",
        "a\u{301}\u{301}\u{301} 👩\u{200d}👩\u{200d}👧 \u{fffd} \u{10ffff}",
        "\r\r\r\n\n\n   ",
    ];
    for case in Case::all(LONG).await {
        for text in texts {
            for repeat in [1, 400] {
                let hostile = text.repeat(repeat);
                let mut snapshot = samples::unicode();
                snapshot.reason.clone_from(&hostile);
                snapshot.incident.alertname.clone_from(&hostile);
                snapshot.incident.entry.clone_from(&hostile);
                for member in &mut snapshot.alerts {
                    member.labels.insert(hostile.clone(), hostile.clone());
                }
                if let Some(entry) = &mut snapshot.entry {
                    entry.team.clone_from(&hostile);
                }
                let mut rendered = saying(case.kind, &hostile);
                rendered.problem = Some(hostile);

                assert_accepted(&case, text, &snapshot, &rendered).await;
            }
        }
    }
}
