//! Fields of forms: a label, a hint, what was wrong.

use maud::{Markup, html};

/// A field.
pub struct Field<'a> {
    /// The name under which it is sent; its id, too.
    pub name: &'a str,
    /// What it is called.
    pub label: &'a str,
    /// What to write there; may be empty.
    pub hint: &'a str,
    /// What stands there.
    pub value: &'a str,
    /// What is wrong with it.
    pub wrong: Option<&'a str>,
}

impl Field<'_> {
    /// One line.
    pub fn line(&self) -> Markup {
        self.around(html! {
            input type="text" #(self.name) name=(self.name) value=(self.value)
                aria-describedby=[self.described()] aria-invalid=[self.wrong.map(|_| "true")];
        })
    }

    /// Many lines.
    pub fn lines(&self, rows: u8) -> Markup {
        self.around(html! {
            textarea #(self.name) name=(self.name) rows=(rows) spellcheck="false"
                aria-describedby=[self.described()] aria-invalid=[self.wrong.map(|_| "true")] { "\n" (self.value) }
        })
    }

    /// One of a few: value and name.
    pub fn choice(&self, choices: &[(&str, &str)]) -> Markup {
        self.around(html! {
            select #(self.name) name=(self.name)
                aria-describedby=[self.described()] aria-invalid=[self.wrong.map(|_| "true")] {
                @for (value, name) in choices { option value=(value) selected[*value == self.value] { (name) } }
            }
        })
    }

    fn described(&self) -> Option<String> {
        let has_more = !self.hint.is_empty() || self.wrong.is_some();
        has_more.then(|| format!("{}-more", self.name))
    }

    fn around(&self, control: Markup) -> Markup {
        html! {
            div.field {
                label for=(self.name) { (self.label) }
                (control)
                @if let Some(more) = self.described() {
                    span #(more) {
                        @if let Some(wrong) = self.wrong { span.wrong { (wrong) " " } }
                        span.hint { (self.hint) }
                    }
                }
            }
        }
    }
}
