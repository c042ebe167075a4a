//! What a cut may and may not do.

use proptest::prelude::*;

use super::*;
use crate::render::escape::{escape_html, escape_mrkdwn};

const UNITS: [Unit; 3] = [Unit::Chars, Unit::Bytes, Unit::Utf16];

fn unit() -> impl Strategy<Value = Unit> {
    prop::sample::select(UNITS.to_vec())
}

#[test]
fn a_text_of_exactly_the_limit_stays_whole() {
    assert_eq!(fit("abcde", 5, Unit::Chars, ELLIPSIS), "abcde");
    assert_eq!(fit("abcdef", 5, Unit::Chars, ELLIPSIS), "abcd…");
    assert_eq!(fit("äöüäö", 5, Unit::Chars, ELLIPSIS), "äöüäö");
    assert_eq!(fit("äöü", 5, Unit::Bytes, ELLIPSIS), "ä…");
    assert_eq!(fit("😀😀", 4, Unit::Utf16, ELLIPSIS), "😀😀");
    assert_eq!(fit("😀😀😀", 4, Unit::Utf16, ELLIPSIS), "😀…");
    assert_eq!(fit("abc", 0, Unit::Chars, ELLIPSIS), "");
}

#[test]
fn entities_links_and_joined_emoji_stay_whole() {
    assert_eq!(fit("ab &amp; cd", 8, Unit::Chars, ELLIPSIS), "ab…");
    assert_eq!(fit("ab &amp; cd", 9, Unit::Chars, ELLIPSIS), "ab &amp;…");
    assert_eq!(fit("see <https://x.example/a|the page> now", 20, Unit::Chars, ELLIPSIS), "see…");
    assert_eq!(fit("1 < 2 and so on > there", 12, Unit::Chars, ELLIPSIS), "1 < 2 and s…");
    assert_eq!(fit("ab👩\u{200d}🚀cd", 4, Unit::Chars, ELLIPSIS), "ab…");
    assert_eq!(fit("cafe\u{301} au lait", 5, Unit::Chars, ELLIPSIS), "caf…");
}

#[test]
fn left_out_lines_are_counted() {
    let lines: Vec<String> = (1..=10).map(|n| format!("line {n}")).collect();
    let more = |n| format!("… {n} more");

    assert_eq!(fit_lines(&lines, 1000, Unit::Chars, more).lines().count(), 10);
    assert_eq!(fit_lines(&lines, 30, Unit::Chars, more), "line 1\nline 2\nline 3\n… 7 more");
    assert_eq!(fit_lines(&["a".repeat(50), "b".to_owned()], 20, Unit::Chars, more), "aaaaaaaaaa…\n… 1 more");
    assert_eq!(fit_lines::<&str>(&[], 5, Unit::Chars, more), "");
}

#[test]
fn one_long_line_does_not_push_out_the_others() {
    let text = format!("{}\nowner: me\nlinks: here", "x".repeat(5_000));

    let fitted = fit_text(&text, 300, Unit::Chars);

    assert!(fitted.ends_with("…\nowner: me\nlinks: here"), "{fitted}");
}

proptest! {
    #[test]
    fn never_longer_than_the_limit_and_a_prefix(text in "\\PC{0,80}", max in 0_usize..90, unit in unit()) {
        let fitted = fit(&text, max, unit, ELLIPSIS);

        prop_assert!(unit.length(&fitted) <= max);
        if unit.length(&text) <= max {
            prop_assert_eq!(fitted, text.as_str());
        } else {
            prop_assert!(text.starts_with(fitted.strip_suffix(ELLIPSIS).unwrap_or(&fitted)));
        }
    }

    #[test]
    fn never_ends_in_a_broken_entity(text in "[<>&\"'ab é]{0,40}", max in 0_usize..60, unit in unit()) {
        for escaped in [escape_mrkdwn(&text), escape_html(&text)] {
            let fitted = fit(&escaped, max, unit, ELLIPSIS);

            for (at, _) in fitted.match_indices('&') {
                let rest = &fitted[at..];
                prop_assert!(["&amp;", "&lt;", "&gt;", "&quot;", "&#39;"].iter().any(|e| rest.starts_with(e)), "{}", fitted);
            }
            prop_assert!(!fitted.contains("<!") && !fitted.contains("<@"));
        }
    }

    #[test]
    fn never_ends_in_a_broken_link(before in "[a-z &]{0,20}", label in "[a-z]{1,10}", max in 0_usize..60) {
        let text = format!("{}<https://x.example/{label}|{label}> tail", escape_mrkdwn(&before));

        let fitted = fit(&text, max, Unit::Chars, ELLIPSIS);

        prop_assert_eq!(fitted.matches('<').count(), fitted.matches('>').count());
    }

    #[test]
    fn lines_never_exceed_the_limit(lines in prop::collection::vec("[a-zé😀]{0,12}", 0..12), max in 0_usize..80, unit in unit()) {
        let fitted = fit_lines(&lines, max, unit, |n| format!("… {n} more"));
        prop_assert!(unit.length(&fitted) <= max);

        let text = lines.join("\n");
        prop_assert!(unit.length(&fit_text(&text, max, unit)) <= max);
    }
}
