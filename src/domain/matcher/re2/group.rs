//! Groups and flags: `(…)`, `(?:…)`, `(?P<name>…)`, `(?i)`, `(?s-i:…)`.

use super::{Flags, Parser, RegexFault};

/// What a group's head says.
enum Head {
    /// A group begins, with these flags within.
    Group(Flags),
    /// These flags hold from here to the end of the group around.
    Flags(Flags),
}

impl Parser<'_> {
    pub(super) fn open_group(&mut self) -> Result<(), RegexFault> {
        let start = self.rest;
        let head = if self.eat("(?P<") || self.eat("(?<") {
            self.group_name().map(|()| Head::Group(self.flags))
        } else if self.eat("(?") {
            self.flag_words()
        } else {
            self.bump();
            Some(Head::Group(self.flags))
        };
        match head {
            None => return Err(RegexFault::Group(start.chars().take(4).collect())),
            Some(Head::Flags(flags)) => self.flags = flags,
            Some(Head::Group(flags)) => {
                self.open.push((std::mem::take(&mut self.here), self.flags));
                self.flags = flags;
            }
        }
        Ok(())
    }

    pub(super) fn close_group(&mut self) -> Result<(), RegexFault> {
        let (around, flags) = self.open.pop().ok_or(RegexFault::Unopened)?;
        let group = std::mem::replace(&mut self.here, around).finish()?;
        self.here.sequence.push(group);
        self.flags = flags;
        Ok(())
    }

    /// Nobody asks what a group matched: its name is checked and forgotten.
    fn group_name(&mut self) -> Option<()> {
        let (name, rest) = self.rest.split_once('>')?;
        self.rest = rest;
        let is_name = !name.is_empty() && name.chars().all(|c| c == '_' || c.is_ascii_alphanumeric());
        is_name.then_some(())
    }

    /// `i:`, `i-s)` and the like.
    fn flag_words(&mut self) -> Option<Head> {
        let mut flags = self.flags;
        let mut value = true;
        // A minus sign needs a flag behind it.
        let mut dangling = false;
        loop {
            match self.bump()? {
                'i' => flags.ignore_case = value,
                'm' => flags.multi_line = value,
                's' => flags.dot_matches_newline = value,
                'U' => {}
                '-' if value => {
                    (value, dangling) = (false, true);
                    continue;
                }
                ':' if !dangling => return Some(Head::Group(flags)),
                ')' if !dangling => return Some(Head::Flags(flags)),
                _ => return None,
            }
            dangling = false;
        }
    }
}
