//! What a label says to a matcher: one value, or several words for the same thing.

/// The values of one label. An absent label has the empty value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Values<'v> {
    first: &'v str,
    others: &'v [&'v str],
}

impl<'v> Values<'v> {
    /// Several words for one thing, such as a severity as it was sent and as it is understood.
    pub const fn several(first: &'v str, others: &'v [&'v str]) -> Self {
        Self { first, others }
    }

    /// Each of them.
    pub fn iter(&self) -> impl Iterator<Item = &'v str> {
        std::iter::once(self.first).chain(self.others.iter().copied())
    }
}

impl<'v> From<&'v str> for Values<'v> {
    fn from(value: &'v str) -> Self {
        Self { first: value, others: &[] }
    }
}

impl<'v> From<Option<&'v str>> for Values<'v> {
    fn from(value: Option<&'v str>) -> Self {
        value.unwrap_or("").into()
    }
}
