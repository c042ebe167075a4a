//! Classes of characters: `[a-z]`, `[^[:alpha:]]`, `\d`, `\pN`, `\P{Greek}`.
//!
//! `\d`, `\s`, `\w` and the classes of POSIX are those of ASCII.

use regex_syntax::hir::{Class, ClassUnicode, ClassUnicodeRange, Hir, HirKind};

use super::{Flags, Parser, RegexFault};

type Ranges = &'static [(char, char)];

const DIGIT: Ranges = &[('0', '9')];
const PERL_SPACE: Ranges = &[('\t', '\n'), ('\u{c}', '\r'), (' ', ' ')];
const WORD: Ranges = &[('0', '9'), ('A', 'Z'), ('_', '_'), ('a', 'z')];

const POSIX: [(&str, Ranges); 14] = [
    ("alnum", &[('0', '9'), ('A', 'Z'), ('a', 'z')]),
    ("alpha", &[('A', 'Z'), ('a', 'z')]),
    ("ascii", &[('\0', '\u{7f}')]),
    ("blank", &[('\t', '\t'), (' ', ' ')]),
    ("cntrl", &[('\0', '\u{1f}'), ('\u{7f}', '\u{7f}')]),
    ("digit", DIGIT),
    ("graph", &[('!', '~')]),
    ("lower", &[('a', 'z')]),
    ("print", &[(' ', '~')]),
    ("punct", &[('!', '/'), (':', '@'), ('[', '`'), ('{', '~')]),
    ("space", &[('\t', '\r'), (' ', ' ')]),
    ("upper", &[('A', 'Z')]),
    ("word", WORD),
    ("xdigit", &[('0', '9'), ('A', 'F'), ('a', 'f')]),
];

/// The general categories, but for `C` and `Cs`, which Go understands in its own way.
const CATEGORIES: &str = "Cc Cf Co L Ll Lm Lo Lt Lu M Mc Me Mn N Nd Nl No \
    P Pc Pd Pe Pf Pi Po Ps S Sc Sk Sm So Z Zl Zp Zs";

/// The scripts of Unicode, as Go spells them.
const SCRIPTS: &str = "Adlam Ahom Anatolian_Hieroglyphs Arabic Armenian Avestan Balinese Bamum \
    Bassa_Vah Batak Bengali Bhaiksuki Bopomofo Brahmi Braille Buginese Buhid Canadian_Aboriginal \
    Carian Caucasian_Albanian Chakma Cham Cherokee Chorasmian Common Coptic Cuneiform Cypriot \
    Cypro_Minoan Cyrillic Deseret Devanagari Dives_Akuru Dogra Duployan Egyptian_Hieroglyphs Elbasan \
    Elymaic Ethiopic Garay Georgian Glagolitic Gothic Grantha Greek Gujarati Gunjala_Gondi Gurmukhi \
    Gurung_Khema Han Hangul Hanifi_Rohingya Hanunoo Hatran Hebrew Hiragana Imperial_Aramaic Inherited \
    Inscriptional_Pahlavi Inscriptional_Parthian Javanese Kaithi Kannada Katakana Kawi Kayah_Li \
    Kharoshthi Khitan_Small_Script Khmer Khojki Khudawadi Kirat_Rai Lao Latin Lepcha Limbu Linear_A \
    Linear_B Lisu Lycian Lydian Mahajani Makasar Malayalam Mandaic Manichaean Marchen Masaram_Gondi \
    Medefaidrin Meetei_Mayek Mende_Kikakui Meroitic_Cursive Meroitic_Hieroglyphs Miao Modi Mongolian \
    Mro Multani Myanmar Nabataean Nag_Mundari Nandinagari New_Tai_Lue Newa Nko Nushu \
    Nyiakeng_Puachue_Hmong Ogham Ol_Chiki Ol_Onal Old_Hungarian Old_Italic Old_North_Arabian Old_Permic \
    Old_Persian Old_Sogdian Old_South_Arabian Old_Turkic Old_Uyghur Oriya Osage Osmanya Pahawh_Hmong \
    Palmyrene Pau_Cin_Hau Phags_Pa Phoenician Psalter_Pahlavi Rejang Runic Samaritan Saurashtra Sharada \
    Shavian Siddham SignWriting Sinhala Sogdian Sora_Sompeng Soyombo Sundanese Sunuwar Syloti_Nagri \
    Syriac Tagalog Tagbanwa Tai_Le Tai_Tham Tai_Viet Takri Tamil Tangsa Tangut Telugu Thaana Thai \
    Tibetan Tifinagh Tirhuta Todhri Toto Tulu_Tigalari Ugaritic Vai Vithkuqi Wancho Warang_Citi Yezidi \
    Yi Zanabazar_Square";

/// No character from here on has an upper and a lower case.
const FIRST_WITHOUT_CASE: u32 = 0x2_0000;

/// How much of a faulty class an error repeats, in characters.
const SHOWN_CHARS: usize = 40;

impl Parser<'_> {
    /// A class in brackets.
    pub(super) fn bracketed(&mut self) -> Result<(), RegexFault> {
        self.bump();
        let is_negated = self.eat("^");
        let mut ranges = Vec::new();
        let mut first = true;
        // A closing bracket that comes first is a character.
        while first || self.peek() != Some(']') {
            first = false;
            let class = match self.named_class()? {
                Some(class) => class,
                None => self.simple_range()?,
            };
            ranges.extend_from_slice(class.ranges());
        }
        self.bump();
        let mut class = folded(ClassUnicode::new(ranges), self.flags);
        if is_negated {
            class.negate();
        }
        self.push(hir(class));
        Ok(())
    }

    /// `[:alpha:]` or an escape that stands for a class.
    fn named_class(&mut self) -> Result<Option<ClassUnicode>, RegexFault> {
        let posix = self.rest.strip_prefix("[:").and_then(|rest| rest.split_once(":]"));
        let Some((name, rest)) = posix else { return self.class_escape() };
        self.rest = rest;
        let (bare, is_negated) = without_sign(name);
        let found = POSIX.iter().find(|(known, _)| *known == bare);
        let (_, ranges) = found.ok_or_else(|| RegexFault::Class(shown(&format!("[:{name}:]"))))?;
        Ok(Some(group(ranges, is_negated, self.flags)))
    }

    /// An escape that stands for a class, if one comes next: `\d`, `\pN`, `\P{^Greek}`.
    pub(super) fn class_escape(&mut self) -> Result<Option<ClassUnicode>, RegexFault> {
        let ranges = match self.rest.as_bytes() {
            [b'\\', b'p' | b'P', ..] => return self.unicode_class().map(Some),
            [b'\\', b'd' | b'D', ..] => DIGIT,
            [b'\\', b's' | b'S', ..] => PERL_SPACE,
            [b'\\', b'w' | b'W', ..] => WORD,
            _ => return Ok(None),
        };
        self.bump();
        let is_negated = self.bump().is_some_and(|letter| letter.is_ascii_uppercase());
        Ok(Some(group(ranges, is_negated, self.flags)))
    }

    fn unicode_class(&mut self) -> Result<ClassUnicode, RegexFault> {
        let start = self.rest;
        let is_upper = self.eat("\\P");
        self.rest = &start[2..];
        let name = if self.eat("{") {
            let (name, rest) = self.rest.split_once('}').ok_or_else(|| RegexFault::Class(shown(start)))?;
            self.rest = rest;
            name
        } else {
            let rest = self.rest;
            self.bump();
            &rest[..rest.len() - self.rest.len()]
        };
        let (bare, has_sign) = without_sign(name);
        let read = &start[..start.len() - self.rest.len()];
        let class = unicode_table(bare).ok_or_else(|| RegexFault::Class(shown(read)))?;
        let mut class = folded(class, self.flags);
        if is_upper != has_sign {
            class.negate();
        }
        Ok(class)
    }

    /// `a` or `a-z`. A minus sign before the closing bracket is a character.
    fn simple_range(&mut self) -> Result<ClassUnicode, RegexFault> {
        let start = self.rest;
        let low = self.class_character()?;
        let mut high = low;
        if self.rest.len() >= 2 && self.rest.starts_with('-') && !self.rest.starts_with("-]") {
            self.bump();
            high = self.class_character()?;
        }
        if high < low {
            return Err(RegexFault::Range(shown(&start[..start.len() - self.rest.len()])));
        }
        Ok(range(low, high))
    }

    fn class_character(&mut self) -> Result<u32, RegexFault> {
        if self.peek() == Some('\\') {
            return self.character_escape();
        }
        self.bump().map(u32::from).ok_or(RegexFault::UnclosedClass)
    }
}

/// The characters from one code to another. Surrogates may be named and match nothing.
pub(super) fn range(low: u32, high: u32) -> ClassUnicode {
    let below = (low, high.min(0xD7FF));
    let above = (low.max(0xE000), high);
    let ranges = [below, above].into_iter().filter(|(low, high)| low <= high);
    ClassUnicode::new(
        ranges.filter_map(|(low, high)| {
            Some(ClassUnicodeRange::new(char::from_u32(low)?, char::from_u32(high)?))
        }),
    )
}

/// With every other spelling of its letters where case is ignored.
pub(super) fn folded(mut class: ClassUnicode, flags: Flags) -> ClassUnicode {
    if flags.ignore_case {
        let mut letters = class.clone();
        letters.intersect(&range(0, FIRST_WITHOUT_CASE - 1));
        letters.case_fold_simple();
        class.union(&letters);
    }
    class
}

pub(super) fn hir(class: ClassUnicode) -> Hir {
    Hir::class(Class::Unicode(class))
}

fn group(ranges: Ranges, is_negated: bool, flags: Flags) -> ClassUnicode {
    let ranges = ranges.iter().map(|(low, high)| ClassUnicodeRange::new(*low, *high));
    let mut class = folded(ClassUnicode::new(ranges), flags);
    if is_negated {
        class.negate();
    }
    class
}

/// A name without the `^` that negates it, and whether it had one.
fn without_sign(name: &str) -> (&str, bool) {
    name.strip_prefix('^').map_or((name, false), |bare| (bare, true))
}

/// The characters of a category or script.
fn unicode_table(name: &str) -> Option<ClassUnicode> {
    let is_in = |list: &str| list.split(' ').any(|known| known == name);
    match name {
        "Any" => Some(range(0, u32::from(char::MAX))),
        "Cs" => Some(ClassUnicode::empty()),
        // Go does not count what is not assigned.
        "C" => {
            let mut class = property("gc=Cc")?;
            class.union(&property("gc=Cf")?);
            class.union(&property("gc=Co")?);
            Some(class)
        }
        _ if is_in(CATEGORIES) => property(&format!("gc={name}")),
        _ if is_in(SCRIPTS) => property(&format!("sc={name}")),
        _ => None,
    }
}

fn property(query: &str) -> Option<ClassUnicode> {
    match regex_syntax::parse(&format!("\\p{{{query}}}")).ok()?.into_kind() {
        HirKind::Class(Class::Unicode(class)) => Some(class),
        // A class of one character.
        HirKind::Literal(literal) => {
            let character = std::str::from_utf8(&literal.0).ok()?.chars().next()?;
            Some(range(u32::from(character), u32::from(character)))
        }
        _ => None,
    }
}

fn shown(text: &str) -> String {
    text.chars().take(SHOWN_CHARS).collect()
}
