use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

fn parsed(text: &str) -> Vec<(String, &'static str, String)> {
    let matchers = Matchers::parse(text).unwrap_or_else(|error| panic!("{error}"));
    matchers.iter().map(|m| (m.name().to_owned(), m.op().as_str(), m.value().to_owned())).collect()
}

fn one(name: &str, op: &'static str, value: &str) -> Vec<(String, &'static str, String)> {
    vec![(name.to_owned(), op, value.to_owned())]
}

fn refusal(text: &str) -> String {
    Matchers::parse(text).expect_err(text).problem().to_string()
}

#[test]
fn all_operators_in_both_syntaxes_are_read() {
    assert_eq!(parsed("a=b"), one("a", "=", "b"));
    assert_eq!(parsed(r#"a="b""#), one("a", "=", "b"));
    assert_eq!(parsed(r#" a != "b" "#), one("a", "!=", "b"));
    assert_eq!(parsed(r#"a=~"b|c""#), one("a", "=~", "b|c"));
    assert_eq!(parsed(r#"a!~"b.*""#), one("a", "!~", "b.*"));
}

#[test]
fn names_outside_the_classic_alphabet_are_read() {
    assert_eq!(parsed(r#"entry.tier=~"1|2""#), one("entry.tier", "=~", "1|2"));
    assert_eq!(parsed(r#"k8s.pod/name="x""#), one("k8s.pod/name", "=", "x"));
    assert_eq!(parsed(r#""a name, quoted"="x""#), one("a name, quoted", "=", "x"));
    assert_eq!(parsed("概要=🔥"), one("概要", "=", "🔥"));
}

#[test]
fn lists_with_and_without_braces_are_read() {
    let both = [one("a", "=", "1"), one("b.c", "!=", "2")].concat();

    for text in ["a=1,b.c!=2", "{a=1,b.c!=2}", " { a = 1 , b.c != 2 , } ", r#"a="1", "b.c"!="2","#] {
        assert_eq!(parsed(text), both, "{text}");
    }
    for text in ["", "{}", "  ", "{ }"] {
        assert_eq!(parsed(text), vec![], "{text:?}");
    }
}

#[test]
fn go_escapes_are_read() {
    assert_eq!(parsed(r#"a.b="\u2713\x41\101\t""#), one("a.b", "=", "\u{2713}AA\t"));
    assert_eq!(parsed(r#"a.b="\xF0\x9F\x94\xA5""#), one("a.b", "=", "🔥"));
    assert_eq!(parsed(r#""\U0001F525 \"\\"="\n""#), one("🔥 \"\\", "=", "\n"));
}

#[test]
fn what_only_the_classic_syntax_takes_is_taken() {
    assert_eq!(parsed("a="), one("a", "=", ""));
    assert_eq!(parsed("a=b c"), one("a", "=", "b c"));
    assert_eq!(parsed("a==b"), one("a", "=", "=b"));
    assert_eq!(parsed("{a=b"), one("a", "=", "b"));
    assert_eq!(parsed("a=b}"), one("a", "=", "b"));
    assert_eq!(parsed(r#"a=~"\d+\.\d+""#), one("a", "=~", r"\d+\.\d+"));
    assert_eq!(parsed(r#"a="b,c\",d""#), one("a", "=", "b,c\",d"));
    assert_eq!(parsed(r"a=b\"), one("a", "=", r"b\"));
}

#[test]
fn where_both_syntaxes_disagree_the_classic_meaning_holds() {
    assert_eq!(parsed(r#"a=~"\bfoo""#), one("a", "=~", r"\bfoo"));
    assert_eq!(parsed(r#"a="\u2713""#), one("a", "=", r"\u2713"));
}

#[test]
fn errors_name_the_column_and_what_was_expected() {
    insta::assert_snapshot!(refusal("severity"), @"column 9: expected an operator (=, !=, =~ or !~), found the end");
    insta::assert_snapshot!(refusal("é.x!b"), @"column 4: expected an operator (=, !=, =~ or !~), found '!'");
    insta::assert_snapshot!(refusal("a.b="), @r#"column 5: expected a value ("" for the empty one), found the end"#);
    insta::assert_snapshot!(refusal(r#"a.b="c"#), @"column 7: expected a closing double quote, found the end");
    insta::assert_snapshot!(refusal("{a.b=c"), @"column 7: expected a closing brace, found the end");
    insta::assert_snapshot!(refusal("a.b=c}"), @"column 6: expected a comma, found '}'");
    insta::assert_snapshot!(refusal("{a.b=c d"), @"column 8: expected a comma or a closing brace, found 'd'");
    insta::assert_snapshot!(refusal("{a.b=c} d"), @"column 9: expected the end, found 'd'");
    insta::assert_snapshot!(refusal("a=b,,c=d"), @"column 5: expected a label name, found ','");
    insta::assert_snapshot!(refusal(r#"""="b""#), @r#"column 1: expected a label name that is not empty, found '"'"#);
    insta::assert_snapshot!(refusal(r#"a.b=~"\d""#), @r#"column 7: expected an escape such as \" or \n (a backslash itself is written \\), found \d"#);
    insta::assert_snapshot!(refusal(r#"a.b="\ud800""#), @r#"column 6: expected an escape such as \" or \n (a backslash itself is written \\), found \u"#);
    insta::assert_snapshot!(refusal(r#"a.b="\xff""#), @r#"column 5: expected a text that is valid UTF-8 once its escapes are read, found '"'"#);
    insta::assert_snapshot!(refusal("a=~(b"), @r#"the regular expression for "a": missing closing parenthesis; write \( for the character itself"#);
    insta::assert_snapshot!(refusal(r#"a=~"\d(""#), @r#"the regular expression for "a": missing closing parenthesis; write \( for the character itself"#);
    insta::assert_snapshot!(refusal("a=~b)"), @r#"the regular expression for "a": unexpected closing parenthesis; write \) for the character itself"#);
    insta::assert_snapshot!(refusal(r#"a=~"\pL{1000}""#), @r#"the regular expression for "a": takes more than 1024 KiB when compiled; write fewer or smaller repetitions, such as x+ for x{1,1000}"#);
}

#[test]
fn a_single_matcher_is_one_without_braces() {
    assert_eq!(Matcher::parse(" a = b ").unwrap().to_string(), r#"a="b""#);
    for text in ["", "{a=b}", "a=b,c=d", "a=b}"] {
        assert!(Matcher::parse(text).is_err(), "{text:?}");
    }
}

#[test]
fn parse_all_reports_every_faulty_text_with_its_index() {
    let texts = ["a=b", "c", "d=~\"(\"", "e=f"].map(str::to_owned);

    let problems = Matchers::parse_all(&texts).unwrap_err();

    assert_eq!(problems.iter().map(|(index, _)| *index).collect::<Vec<_>>(), [1, 2]);
    let good = Matchers::parse_all(&["a=b,c=d".to_owned(), "{e!=f}".to_owned()]).unwrap();
    assert_eq!(good.to_string(), r#"{a="b",c="d",e!="f"}"#);
    assert_eq!(good.label_names().into_iter().collect::<Vec<_>>(), ["a", "c", "e"]);
}

#[test]
fn values_are_compared_as_alertmanager_compares_them() {
    let cases = [
        (r#"a="x""#, Some("x"), true),
        (r#"a="x""#, Some("X"), false),
        (r#"a="x""#, None, false),
        (r#"a="""#, None, true),
        (r#"a="""#, Some(""), true),
        (r#"a!="x""#, None, true),
        (r#"a!="""#, None, false),
        (r#"a=~"x|y""#, Some("y"), true),
        (r#"a=~"x|y""#, Some("yy"), false),
        (r#"a=~"x|y""#, Some("ax"), false),
        (r#"a=~".*""#, None, true),
        (r#"a=~".+""#, None, false),
        (r#"a!~"x|y""#, Some("y"), false),
        (r#"a!~"x|y""#, None, true),
        (r#"a=~"(?i)gpt-4.*""#, Some("GPT-4o"), true),
        ("{}", None, true),
        (r#"a="x",b="y""#, Some("x"), false),
    ];
    for (text, value, holds) in cases {
        let matchers = Matchers::parse(text).unwrap();
        let labels: BTreeMap<&str, &str> = value.into_iter().map(|value| ("a", value)).collect();
        assert_eq!(matchers.matches(|name| labels.get(name).copied()), holds, "{text} on {value:?}");
    }
}

#[test]
fn white_space_is_what_re2_takes_for_it() {
    assert_eq!(parsed("\t\n\u{c}\r a \t= \r b \n"), one("a", "=", "b"));
    for space in ['\u{a0}', '\u{b}', '\u{85}', '\u{2003}', '\u{feff}'] {
        for text in
            [format!("a={space}b{space}"), format!("a = {space}b{space} "), format!("{{a={space}b{space},}}")]
        {
            assert_eq!(parsed(&text), one("a", "=", &format!("{space}b{space}")), "{text:?}");
        }
        assert_eq!(parsed(&format!("a.b={space}c")), one("a.b", "=", &format!("{space}c")));
        assert!(Matchers::parse(&format!("a={space}b{space},c{space}")).is_err());
    }
}

#[test]
fn a_large_value_of_a_pattern_is_no_way_to_use_up_memory() {
    for pattern in [r"a{1000}", "[a-z]{1,1000}", "(a|b|c){1,300}"] {
        let matcher = Matcher::new("a", MatchOp::Matches, pattern).unwrap();
        assert!(
            (1..=1024 * 1024).contains(&matcher.compiled_bytes()),
            "{pattern}: {}",
            matcher.compiled_bytes()
        );
    }
    assert_eq!(Matcher::new("a", MatchOp::Matches, "fraud|churn").unwrap().compiled_bytes(), 0);
    for pattern in [r"\pL{1000}", r"\pL{1,900}", r"(?i)\p{L}{300}", r"(\pL{30}|\PN{40}){14}"] {
        let refusal = Matcher::new("a", MatchOp::Matches, pattern).unwrap_err().to_string();
        assert!(refusal.contains("more than 1024 KiB"), "{refusal}");
    }
}

fn any_matcher() -> impl Strategy<Value = (String, MatchOp, String)> {
    let name =
        prop_oneof!["[a-z_]{1,8}", "\\PC{1,8}", any::<String>()].prop_filter("empty", |n| !n.is_empty());
    let value = prop_oneof!["[a-z\\\\\",=~!{}\n]{0,8}", any::<String>()];
    (name, prop::sample::select(MatchOp::ALL.to_vec()), value)
}

proptest! {
    #[test]
    fn the_canonical_form_reads_back_as_the_same(parts in prop::collection::vec(any_matcher(), 0..4)) {
        let matchers: Vec<Matcher> =
            parts.into_iter().filter_map(|(name, op, value)| Matcher::new(name, op, value).ok()).collect();
        for matcher in &matchers {
            prop_assert_eq!(&Matcher::parse(&matcher.to_string()).unwrap(), matcher);
        }
        let matchers = Matchers(matchers);
        prop_assert_eq!(Matchers::parse(&matchers.to_string()).unwrap(), matchers);
    }

    #[test]
    fn any_text_is_read_or_refused_within_its_bounds(text in any::<String>()) {
        if let Err(error) = Matchers::parse(&text)
            && let MatcherProblem::Syntax(problem) = error.problem()
        {
            prop_assert!(problem.column >= 1 && problem.column <= text.chars().count() + 1);
        }
    }

    #[test]
    fn expressions_of_re2s_letters_never_panic(
        pattern in "(\\(\\?|\\(\\?P<|\\[\\[?:?|:\\]|\\{|\\\\[pPxQEdwsbBAz0-9]|[a-c0-2imsU{}()\\[\\]^$.*+?|,:<>&~\u{a0}é-]){0,16}",
        value in "[a-c0-2\u{a0}é\n]{0,6}",
    ) {
        if let Ok(matcher) = Matcher::new("a", MatchOp::Matches, pattern) {
            matcher.matches_value(&value);
        }
    }

    #[test]
    fn texts_of_the_grammars_letters_never_panic(text in "[{}=!~,\"\\\\ab.n \n]{0,24}") {
        if let Ok(matchers) = Matchers::parse(&text) {
            prop_assert_eq!(Matchers::parse(&matchers.to_string()).unwrap(), matchers);
        }
    }
}
