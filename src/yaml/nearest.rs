//! The known word that a misspelled one was probably meant to be.

/// "did you mean `x`?", when a known word is near enough.
pub fn did_you_mean<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    nearest(word, known).map(|near| format!("did you mean `{near}`?"))
}

/// The known word with the fewest edits, at most a third of the word's length.
fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let limit = (word.chars().count() / 3).max(1);
    let folded = word.to_lowercase();
    known
        .into_iter()
        .map(|candidate| (strsim::osa_distance(&folded, &candidate.to_lowercase()), candidate))
        .filter(|(distance, _)| *distance <= limit)
        .min()
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_finds_the_word_and_a_stranger_does_not() {
        let known = ["webhook_url", "token", "channel"];

        assert_eq!(nearest("webhook_ur", known), Some("webhook_url"));
        assert_eq!(nearest("Chanel", known), Some("channel"));
        assert_eq!(nearest("tokne", known), Some("token"));
        assert_eq!(nearest("password", known), None);
        assert_eq!(nearest("", known), None);
    }
}
