use super::super::pattern::{Engine, Pattern};

/// Whether a value matches, or `None` when the expression is refused.
fn matches(pattern: &str, value: &str) -> Option<bool> {
    let general = Pattern::compile(pattern, Engine::General).ok()?.matches(value);
    // Not every expression fits into a table.
    if let Ok(table) = Pattern::compile(pattern, Engine::Table) {
        assert_eq!(table.matches(value), general, "{pattern:?} and {value:?}");
    }
    Some(general)
}

fn fault(pattern: &str) -> String {
    Pattern::compile(pattern, Engine::General).expect_err(pattern).to_string()
}

#[test]
fn braces_that_are_no_repetition_are_literals() {
    for text in ["{", "{1", "a{,5}", "x{01}", "{model}", "a{1,2", "a{ 1}", "}", "a{b}{2"] {
        assert_eq!(matches(text, text), Some(true), "{text}");
    }
    assert_eq!(matches("x{2}", "xx"), Some(true));
    assert_eq!(matches("x{2,}", "xxxx"), Some(true));
    assert_eq!(matches("x{0}", ""), Some(true));
    assert_eq!(matches("{,5}+", "{,5}}}"), Some(true));
}

#[test]
fn quotes_and_escapes_are_those_of_go() {
    let cases = [
        (r"\Qa.b\E", "a.b"),
        (r"\Qa\\E", r"a\"),
        (r"a\Q\E*", "aaa"),
        (r"\101", "A"),
        (r"\0", "\0"),
        (r"\07", "\u{7}"),
        (r"\0011", "\u{1}1"),
        (r"\x41\x{42}\x{000043}", "ABC"),
        (r"\x{10FFFF}", "\u{10FFFF}"),
        (r"\<x\>", "<x>"),
        (r"infer\/v1\_\-\#\ ", "infer/v1_-# "),
        (r"\a\f\n\r\t\v", "\u{7}\u{c}\n\r\t\u{b}"),
        (r"[\a\-\]]+", "\u{7}-]"),
    ];
    for (pattern, value) in cases {
        assert_eq!(matches(pattern, value), Some(true), "{pattern}");
    }
    for refused in [
        r"\Z",
        r"\C",
        r"\1",
        r"\8",
        r"\9",
        r"\q",
        r"\E",
        r"\u0041",
        r"\U00000041",
        r"\x4",
        r"\x{}",
        r"\x{110000}",
        r"\é",
        r"\Qabc",
        "a\\",
        r"[\b]",
        r"[\Q]",
        r"[\z]",
    ] {
        assert_eq!(matches(refused, ""), None, "{refused}");
    }
}

#[test]
fn classes_are_those_of_ascii_and_have_no_set_operations() {
    let cases = [
        (r"\d", "5", true),
        (r"\d", "١", false),
        (r"\w", "_", true),
        (r"\w", "é", false),
        (r"\W", "é", true),
        (r"\s", "\u{c}", true),
        (r"\s", "\u{b}", false),
        (r"\S", "\u{b}", true),
        (r"[[:space:]]", "\u{b}", true),
        (r"[^[:^alpha:]]", "a", true),
        (r"[[:word:]]", "-", false),
        ("[a-z&&b]+", "a&b", true),
        ("[a~~b]+", "a~b", true),
        ("[a[b]]", "a]", true),
        ("[a[b]]", "[]", true),
        ("[[]gpu[]]", "[gpu]", true),
        ("[]a]+", "]a", true),
        ("[^]a]", "b", true),
        ("[]?[.]", "[", true),
        ("[a-]+", "a-", true),
        ("[^a]", "\n", true),
        (r"\pN", "٣", true),
        (r"\p{Greek}", "α", true),
        (r"\P{Greek}", "α", false),
        (r"\p{^L}", "a", false),
        (r"\P{^L}", "a", true),
        (r"\pC", "\u{378}", false),
        (r"\p{Zl}", "\u{2028}", true),
        (r"[\x{D800}-\x{DFFF}a]", "a", true),
        (r"[\p{L}\d]+", "é1", true),
        (r"(?i)\w", "\u{212A}", true),
        (r"(?i)[^k]", "\u{212A}", false),
        (r"(?i)\P{Lu}", "a", false),
        (r"caf\b.", "café", true),
    ];
    for (pattern, value, wanted) in cases {
        assert_eq!(matches(pattern, value), Some(wanted), "{pattern} {value:?}");
    }
    for refused in [
        "[a--b]",
        "[[:foo:]]",
        "[:",
        "[a",
        "[]",
        "[^]",
        r"\p{greek}",
        r"\p",
        r"\p{",
        r"\p{L",
        r"\pX",
        r"\p{Alphabetic}",
        "[b-a]",
        r"[a-\d]",
        r"[\d",
    ] {
        assert_eq!(matches(refused, ""), None, "{refused}");
    }
    assert_eq!(matches(r"[\d-a]+", "1-a"), Some(true));
}

#[test]
fn groups_and_flags_are_those_of_go() {
    let cases = [
        ("(?i)Gpt", "gPT", true),
        ("a(?i)b|c", "C", true),
        ("(?i:a)b", "AB", false),
        ("((?i)a)b", "Ab", true),
        ("((?i)a)b", "AB", false),
        ("(?s).", "\n", true),
        (".", "\n", false),
        ("(?s-i:.)", "\n", true),
        ("(?m)a$\n^b", "a\nb", true),
        ("a$\n^b", "a\nb", false),
        ("(?U)a+", "aa", true),
        ("(?P<n>a)(?<m2>b)", "ab", true),
        ("(?P<1>a)", "a", true),
        ("(?)a", "a", true),
        ("a(?i)*", "aaa", true),
        ("(a|)+", "", true),
        ("^*a$?", "a", true),
        ("a*?b+?c??", "abc", true),
        ("(?:a*)*", "aa", true),
        // Closed but never opened: this closes the group Alertmanager puts around.
        ("b)|(c", "bx", true),
        ("b)|(c", "xc", true),
        ("b)|(c", "xcx", false),
    ];
    for (pattern, value, wanted) in cases {
        assert_eq!(matches(pattern, value), Some(wanted), "{pattern} {value:?}");
    }
    for refused in [
        "a**",
        "a++",
        "a*{2}",
        "a{2}{3}",
        "a{2}*",
        "*",
        "|*",
        "(*)",
        "(?i)*",
        "(?x)a",
        "(?R)a",
        "(?u)a",
        "(?i-)a",
        "(?-:a)",
        "(?i-s-m)a",
        "(?P<n",
        "(?P<>a)",
        "(?P<n-m>a)",
        "(?P=n)",
        "(?=a)",
        "(?!a)",
        "(?<=a)",
        "(?<!a)",
        "(?>a)",
        "(",
        "(a",
        "a)",
        ")(?:a))",
        "a{1001}",
        "a{1001,}",
        "a{2,1}",
        "(a{100}){11}",
        "((a{10}){10}){11}",
        "a{99999999999}",
    ] {
        assert_eq!(matches(refused, ""), None, "{refused}");
    }
    assert!(Pattern::compile("(a{100}){10}", Engine::General).is_ok());
    assert!(Pattern::compile("(a{1000}){0}(a{1000}){1}", Engine::General).is_ok());
}

#[test]
fn a_fault_says_what_to_write_instead() {
    insta::assert_snapshot!(fault("(b"), @r#"missing closing parenthesis; write \( for the character itself"#);
    insta::assert_snapshot!(fault("b)"), @r#"unexpected closing parenthesis; write \) for the character itself"#);
    insta::assert_snapshot!(fault("[a"), @r#"missing closing bracket; write \[ for the character itself"#);
    insta::assert_snapshot!(fault("*"), @r#"nothing to repeat before '*'; write \* for the character itself"#);
    insta::assert_snapshot!(fault("a**"), @r#"a repetition of a repetition at '*'; put the inner one in parentheses"#);
    insta::assert_snapshot!(fault("a{1001}"), @r#"a repetition of more than 1000 times, nested ones multiplied, or from more to fewer"#);
    insta::assert_snapshot!(fault(r"\Z"), @r#"unknown escape "\\Z"; write \\ for a backslash itself"#);
    insta::assert_snapshot!(fault("[a--b]"), @r#"invalid range "a--"; the first character must not come after the last"#);
    insta::assert_snapshot!(fault(r"\p{greek}"), @r#"unknown class "\\p{greek}"; RE2 knows [:alpha:] and the like, \p{L} and \p{Greek}"#);
    insta::assert_snapshot!(fault("(?=a)"), @r#"unknown group "(?=a"; RE2 knows (?:…), (?P<name>…) and the flags i, m, s and U"#);
    insta::assert_snapshot!(fault(r"(\pL{100}){10}"), @r#"takes more than 1024 KiB when compiled; write fewer or smaller repetitions, such as x+ for x{1,1000}"#);
}

/// On a small stack, since compiling is recursive.
#[test]
fn deep_nesting_is_refused_before_it_ends_the_program() {
    let nested = |depth: usize| format!("{}b{}", "(?:a|c".repeat(depth), "d)*".repeat(depth));
    let work = move || {
        assert!(Pattern::compile(&nested(32), Engine::General).is_ok());
        assert_eq!(fault(&nested(100_000)), "nested more than 100 deep");
        assert!(
            Pattern::compile(&format!("{}a{}", "(".repeat(50_000), ")".repeat(50_000)), Engine::General)
                .is_ok()
        );
        assert!(Pattern::compile(&"(".repeat(50_000), Engine::General).is_err());
    };
    std::thread::Builder::new().stack_size(1 << 20).spawn(work).unwrap().join().unwrap();
}
