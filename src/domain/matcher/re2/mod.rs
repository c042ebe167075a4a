//! Regular expressions in the syntax of Go's `regexp` (RE2), which is what Alertmanager's
//! matchers are written in. The `regex` crate's own syntax differs in many details (`{` as a
//! literal, `\Q…\E`, octal escapes, ASCII `\d` and `\w`, no set operations in brackets), so
//! this reads Go's and builds the form that the engine compiles. What Go refuses is refused.
//!
//! Two differences are on purpose: `(?<name>…)` is read as by newer versions of Go, and
//! operators may be nested [`MAX_NESTING`] deep instead of 1000.

pub(super) use regex_syntax::hir::Hir;
use regex_syntax::hir::{Dot, HirKind, Look, Repetition};

mod class;
mod group;
#[cfg(test)]
mod tests;

/// How deep repetitions and alternations may be nested: compiling is recursive.
const MAX_NESTING: u32 = 100;

/// The greatest number of repetitions, also of nested ones multiplied.
const MAX_REPEAT: u32 = 1_000;

/// Why a text is not a regular expression.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum RegexFault {
    #[error("missing closing parenthesis; write \\( for the character itself")]
    Unclosed,
    #[error("unexpected closing parenthesis; write \\) for the character itself")]
    Unopened,
    #[error("missing closing bracket; write \\[ for the character itself")]
    UnclosedClass,
    #[error("nothing to repeat before {0:?}; write \\{0} for the character itself")]
    NothingToRepeat(char),
    #[error("a repetition of a repetition at {0:?}; put the inner one in parentheses")]
    RepeatedRepeat(char),
    #[error("a repetition of more than {MAX_REPEAT} times, nested ones multiplied, or from more to fewer")]
    RepeatSize,
    #[error("nested more than {MAX_NESTING} deep")]
    Nesting,
    #[error("unknown escape {0:?}; write \\\\ for a backslash itself")]
    Escape(String),
    #[error("invalid range {0:?}; the first character must not come after the last")]
    Range(String),
    #[error("unknown class {0:?}; RE2 knows [:alpha:] and the like, \\p{{L}} and \\p{{Greek}}")]
    Class(String),
    #[error("unknown group {0:?}; RE2 knows (?:…), (?P<name>…) and the flags i, m, s and U")]
    Group(String),
}

/// Reads an expression.
pub(super) fn parse(pattern: &str) -> Result<Hir, RegexFault> {
    let mut parser =
        Parser { rest: pattern, flags: Flags::default(), open: Vec::new(), here: Level::default() };
    parser.run()?;
    Ok(parser.here.finish()?.hir)
}

/// Whether every match begins where the text does.
pub(super) fn is_anchored(hir: &Hir) -> bool {
    hir.properties().look_set_prefix().contains(Look::Start)
}

/// The text with which everything begins that an expression anchored in front matches.
pub(super) fn leading_text(hir: &Hir) -> String {
    let HirKind::Concat(parts) = hir.kind() else { return String::new() };
    let is_anchored = matches!(parts.first().map(Hir::kind), Some(HirKind::Look(Look::Start)));
    let first = parts.iter().map(Hir::kind).find(|kind| !matches!(kind, HirKind::Look(_)));
    match first {
        Some(HirKind::Literal(text)) if is_anchored => String::from_utf8_lossy(&text.0).into_owned(),
        _ => String::new(),
    }
}

/// The flags that change what an expression matches as a whole. `U` only changes which of
/// several matches is found, which nobody asks for here.
#[derive(Clone, Copy, Debug, Default)]
struct Flags {
    ignore_case: bool,
    multi_line: bool,
    dot_matches_newline: bool,
}

/// A finished part of the expression.
struct Part {
    hir: Hir,
    /// Operators within operators.
    nesting: u32,
    /// The greatest product of nested numbers of repetitions.
    repeats: u32,
}

impl Part {
    fn simple(hir: Hir) -> Self {
        Self { hir, nesting: 1, repeats: 1 }
    }

    /// Several parts as one, made by `combine` unless there is only one.
    fn of(mut parts: Vec<Self>, combine: fn(Vec<Hir>) -> Hir) -> Result<Self, RegexFault> {
        match (parts.pop(), parts.is_empty()) {
            (None, _) => Ok(Self::simple(Hir::empty())),
            (Some(only), true) => Ok(only),
            (Some(last), false) => {
                parts.push(last);
                let nesting = parts.iter().map(|part| part.nesting).max().unwrap_or(0) + 1;
                let repeats = parts.iter().map(|part| part.repeats).max().unwrap_or(1);
                let hir = combine(parts.into_iter().map(|part| part.hir).collect());
                if nesting > MAX_NESTING {
                    return Err(RegexFault::Nesting);
                }
                Ok(Self { hir, nesting, repeats })
            }
        }
    }
}

/// What was read of one group, or of the whole expression.
#[derive(Default)]
struct Level {
    alternatives: Vec<Part>,
    sequence: Vec<Part>,
}

impl Level {
    fn end_alternative(&mut self) -> Result<(), RegexFault> {
        let sequence = std::mem::take(&mut self.sequence);
        self.alternatives.push(Part::of(sequence, Hir::concat)?);
        Ok(())
    }

    fn finish(mut self) -> Result<Part, RegexFault> {
        self.end_alternative()?;
        Part::of(self.alternatives, Hir::alternation)
    }
}

struct Parser<'p> {
    rest: &'p str,
    flags: Flags,
    /// The groups around the current one, with the flags that hold after the group within.
    open: Vec<(Level, Flags)>,
    here: Level,
}

impl<'p> Parser<'p> {
    fn run(&mut self) -> Result<(), RegexFault> {
        let mut after_repetition = false;
        while let Some(next) = self.peek() {
            let is_repetition = self.repetition(next, after_repetition)?;
            if !is_repetition {
                self.item(next)?;
            }
            after_repetition = is_repetition;
        }
        if self.open.is_empty() { Ok(()) } else { Err(RegexFault::Unclosed) }
    }

    fn item(&mut self, next: char) -> Result<(), RegexFault> {
        match next {
            '(' => return self.open_group(),
            '[' => return self.bracketed(),
            '\\' => return self.backslash(),
            _ => {}
        }
        self.bump();
        match next {
            ')' => return self.close_group(),
            '|' => return self.here.end_alternative(),
            '^' => self.push(Hir::look(if self.flags.multi_line { Look::StartLF } else { Look::Start })),
            '$' => self.push(Hir::look(if self.flags.multi_line { Look::EndLF } else { Look::End })),
            '.' if self.flags.dot_matches_newline => self.push(Hir::dot(Dot::AnyChar)),
            '.' => self.push(Hir::dot(Dot::AnyCharExceptLF)),
            literal => self.push_literal(u32::from(literal)),
        }
        Ok(())
    }

    fn peek(&self) -> Option<char> {
        self.rest.chars().next()
    }

    fn bump(&mut self) -> Option<char> {
        let next = self.peek()?;
        self.rest = &self.rest[next.len_utf8()..];
        Some(next)
    }

    fn eat(&mut self, text: &str) -> bool {
        let after = self.rest.strip_prefix(text);
        self.rest = after.unwrap_or(self.rest);
        after.is_some()
    }

    fn push(&mut self, hir: Hir) {
        self.here.sequence.push(Part::simple(hir));
    }

    fn push_literal(&mut self, code: u32) {
        let class = class::folded(class::range(code, code), self.flags);
        self.push(class::hir(class));
    }

    /// Whether a repetition was read. A `{` that begins none is a literal.
    fn repetition(&mut self, next: char, after_repetition: bool) -> Result<bool, RegexFault> {
        let (min, max, after) = match next {
            '*' => (0, None, &self.rest[1..]),
            '+' => (1, None, &self.rest[1..]),
            '?' => (0, Some(1), &self.rest[1..]),
            '{' => match counts(self.rest) {
                Some(counts) => counts,
                None => return Ok(false),
            },
            _ => return Ok(false),
        };
        if min > MAX_REPEAT || max.is_some_and(|max| max > MAX_REPEAT || max < min) {
            return Err(RegexFault::RepeatSize);
        }
        // A `?` behind it only changes which of several matches is found.
        self.rest = after.strip_prefix('?').unwrap_or(after);
        if after_repetition {
            return Err(RegexFault::RepeatedRepeat(next));
        }
        let part = self.here.sequence.pop().ok_or(RegexFault::NothingToRepeat(next))?;
        self.here.sequence.push(repeated(part, min, max, next == '{')?);
        Ok(true)
    }

    /// An escape outside of brackets.
    fn backslash(&mut self) -> Result<(), RegexFault> {
        let looks = [
            (r"\A", Look::Start),
            (r"\z", Look::End),
            (r"\b", Look::WordAscii),
            (r"\B", Look::WordAsciiNegate),
        ];
        if let Some((_, look)) = looks.into_iter().find(|(text, _)| self.eat(text)) {
            self.push(Hir::look(look));
            return Ok(());
        }
        if self.eat(r"\Q") {
            let (quoted, rest) = self.rest.split_once(r"\E").unwrap_or((self.rest, ""));
            self.rest = rest;
            for literal in quoted.chars() {
                self.push_literal(u32::from(literal));
            }
            return Ok(());
        }
        if let Some(class) = self.class_escape()? {
            self.push(class::hir(class));
            return Ok(());
        }
        let literal = self.character_escape()?;
        self.push_literal(literal);
        Ok(())
    }

    /// An escape that stands for one character: its code, which may be that of a surrogate.
    fn character_escape(&mut self) -> Result<u32, RegexFault> {
        let start = self.rest;
        self.bump();
        let code = match self.bump() {
            Some(c @ '0'..='7') => self.octal(c),
            Some('x') => self.hexadecimal(),
            Some('a') => Some(0x07),
            Some('t') => Some(0x09),
            Some('n') => Some(0x0A),
            Some('v') => Some(0x0B),
            Some('f') => Some(0x0C),
            Some('r') => Some(0x0D),
            Some(c) if c.is_ascii() && !c.is_ascii_alphanumeric() => Some(u32::from(c)),
            _ => None,
        };
        code.ok_or_else(|| RegexFault::Escape(start.chars().take(2).collect()))
    }

    /// Up to three octal digits, of which `first` was read. `\1` alone would be a
    /// reference to a group, which RE2 has not.
    fn octal(&mut self, first: char) -> Option<u32> {
        let mut code = first.to_digit(8)?;
        let mut digits = 1;
        while digits < 3
            && let Some(digit) = self.peek().and_then(|c| c.to_digit(8))
        {
            self.bump();
            code = code * 8 + digit;
            digits += 1;
        }
        (first == '0' || digits > 1).then_some(code)
    }

    /// Two hexadecimal digits, or any number of them in braces.
    fn hexadecimal(&mut self) -> Option<u32> {
        if !self.eat("{") {
            let digits = [self.bump()?.to_digit(16)?, self.bump()?.to_digit(16)?];
            return Some(digits[0] * 16 + digits[1]);
        }
        let (digits, rest) = self.rest.split_once('}')?;
        self.rest = rest;
        let code = digits.chars().try_fold(0_u32, |code, c| {
            Some(code * 16 + c.to_digit(16)?).filter(|code| *code <= u32::from(char::MAX))
        })?;
        (!digits.is_empty()).then_some(code)
    }
}

/// `part` so many times. `max` is absent where there is no limit.
fn repeated(part: Part, min: u32, max: Option<u32>, counted: bool) -> Result<Part, RegexFault> {
    let repeats = match max.unwrap_or(min) {
        _ if !counted => part.repeats,
        // Nothing is repeated, whatever is within.
        0 if max.is_some() => 1,
        times => part.repeats.saturating_mul(times.max(1)),
    };
    let is_checked = counted && (min >= 2 || max.is_some_and(|max| max >= 2));
    if is_checked && repeats > MAX_REPEAT {
        return Err(RegexFault::RepeatSize);
    }
    let nesting = part.nesting + 1;
    if nesting > MAX_NESTING {
        return Err(RegexFault::Nesting);
    }
    let hir = Hir::repetition(Repetition { min, max, greedy: true, sub: Box::new(part.hir) });
    Ok(Part { hir, nesting, repeats })
}

/// `{2}`, `{2,}` and `{2,3}` at the begin of a text, and what follows.
fn counts(text: &str) -> Option<(u32, Option<u32>, &str)> {
    let (min, rest) = number(text.strip_prefix('{')?)?;
    let Some(rest) = rest.strip_prefix(',') else {
        return Some((min, Some(min), rest.strip_prefix('}')?));
    };
    if let Some(rest) = rest.strip_prefix('}') {
        return Some((min, None, rest));
    }
    let (max, rest) = number(rest)?;
    Some((min, Some(max), rest.strip_prefix('}')?))
}

/// A number without leading zeros.
fn number(text: &str) -> Option<(u32, &str)> {
    let (digits, rest) = text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()));
    let is_number = !digits.is_empty() && (digits == "0" || !digits.starts_with('0'));
    is_number.then(|| (digits.parse().unwrap_or(u32::MAX), rest))
}
