//! The order in which people count: `pod 2` before `pod 10`.

use std::cmp::Ordering;

/// Compares two texts: runs of digits by their number, everything else by its characters.
pub(super) fn compare(left: &str, right: &str) -> Ordering {
    let (mut left, mut right) = (left, right);
    loop {
        let ((a, left_rest), (b, right_rest)) = (chunk(left), chunk(right));
        if a.is_empty() || b.is_empty() {
            return a.len().cmp(&b.len());
        }
        let both_numbers = is_number(a) && is_number(b);
        let order = if both_numbers { numbers(a, b) } else { a.cmp(b) };
        if order != Ordering::Equal {
            return order;
        }
        (left, right) = (left_rest, right_rest);
    }
}

/// The digits, or all but digits, that `text` begins with; and the rest.
fn chunk(text: &str) -> (&str, &str) {
    let begins_with_digit = is_number(text);
    let end = text.find(|c: char| c.is_ascii_digit() != begins_with_digit).unwrap_or(text.len());
    text.split_at(end)
}

fn is_number(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_digit())
}

/// Digits of any length by their value; the shorter way of writing it first.
fn numbers(left: &str, right: &str) -> Ordering {
    let bare = |digits: &'_ str| digits.trim_start_matches('0').len();
    let by_length = bare(left).cmp(&bare(right));
    let by_digits = || left.trim_start_matches('0').cmp(right.trim_start_matches('0'));
    by_length.then_with(by_digits).then_with(|| left.len().cmp(&right.len()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn numbers_count_by_their_value() {
        let mut names = ["pod 10", "pod 9", "pod", "pod 08", "pod 8", "node 3", "pod 8 down", "10", "9"];

        names.sort_by(|a, b| compare(a, b));

        assert_eq!(names, ["9", "10", "node 3", "pod", "pod 8", "pod 8 down", "pod 08", "pod 9", "pod 10"]);
    }

    #[test]
    fn numbers_of_any_length_are_compared() {
        let (small, large) = ("9".repeat(40), format!("1{}", "0".repeat(40)));

        assert_eq!(compare(&small, &large), Ordering::Less);
    }

    proptest! {
        #[test]
        fn it_is_an_order(a in "[a-c0-2é]{0,6}", b in "[a-c0-2é]{0,6}", c in "[a-c0-2é]{0,6}") {
            prop_assert_eq!(compare(&a, &b), compare(&b, &a).reverse());
            prop_assert_eq!(compare(&a, &b) == Ordering::Equal, a == b);
            if compare(&a, &b) != Ordering::Greater && compare(&b, &c) != Ordering::Greater {
                prop_assert_ne!(compare(&a, &c), Ordering::Greater);
            }
        }
    }
}
