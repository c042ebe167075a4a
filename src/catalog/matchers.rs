//! The entries' matchers, filed so that an alert is compared with a few of them only.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::checks::compiled_size;
use crate::domain::entry::{EntryMatcher, EntryRecord};
use crate::domain::labels::Labels;
use crate::domain::matcher::{Anchor, Engine, Matcher, Matchers};

/// The longest value that compiled expressions are compared with, in bytes: an alert may have to be
/// compared with thousands of them. A rule with one does not hold for a longer one.
const LONGEST_VALUE: usize = 1_024;

/// The order in which matchers decide: higher priority first, then by slug, then as
/// listed in the entry.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Rank {
    priority: Reverse<i32>,
    slug: Arc<str>,
    position: usize,
}

/// One set of matchers of an entry, all of which must hold.
#[derive(Debug)]
struct Rule {
    matchers: Matchers,
    record: Arc<EntryRecord>,
}

impl Rule {
    fn holds(&self, labels: &Labels) -> bool {
        let value = |name: &str| labels.get(name).map(String::as_str);
        let is_too_long =
            |m: &Matcher| m.compiled_bytes() > 0 && value(m.name()).is_some_and(|v| v.len() > LONGEST_VALUE);
        !self.matchers.iter().any(is_too_long) && self.matchers.matches(value)
    }
}

type Bucket = BTreeMap<Rank, Arc<Rule>>;

/// Rules by what one label must be or begin with.
#[derive(Debug, Default)]
struct LabelBuckets {
    exact: HashMap<String, Bucket>,
    prefix: HashMap<String, Bucket>,
    /// How many prefixes there are of each length in bytes.
    prefix_lengths: BTreeMap<usize, usize>,
}

/// Where a rule is filed.
#[derive(Debug)]
struct Place {
    rank: Rank,
    /// A label and what it must be or begin with; `None` when the rule must always be tried.
    anchor: Option<(String, Anchor)>,
}

/// All rules of the catalog.
#[derive(Debug, Default)]
pub(super) struct MatcherIndex {
    by_label: HashMap<String, LabelBuckets>,
    unanchored: Bucket,
    places: HashMap<Arc<str>, Filed>,
    /// What all compiled expressions count.
    compiled: usize,
}

/// The rules of one entry.
#[derive(Debug)]
struct Filed {
    places: Vec<Place>,
    compiled: usize,
}

/// The rules of one entry, compiled and not filed yet.
pub(super) struct Compiled {
    slug: Arc<str>,
    rules: Vec<(Rank, Rule)>,
    size: usize,
}

impl Compiled {
    /// Compiles an entry's matchers, which may take a while: not for whoever holds a lock.
    pub(super) fn of(record: &Arc<EntryRecord>) -> Self {
        let slug: Arc<str> = Arc::from(record.entry.slug.as_str());
        let rule = |(position, set): (usize, &EntryMatcher)| {
            let matchers = parse(set, &slug)?;
            let rank = Rank { priority: Reverse(set.priority), slug: slug.clone(), position };
            Some((rank, Rule { matchers, record: record.clone() }))
        };
        let rules: Vec<(Rank, Rule)> = record.entry.matchers.iter().enumerate().filter_map(rule).collect();
        let size = rules.iter().map(|(_, rule)| compiled_size(&rule.matchers)).sum();
        Self { slug, rules, size }
    }
}

impl MatcherIndex {
    /// Files the matchers of an entry that has none filed.
    pub(super) fn insert(&mut self, compiled: Compiled) {
        let Compiled { slug, rules, size } = compiled;
        let places: Vec<Place> = rules.into_iter().map(|(rank, rule)| self.file(rank, rule)).collect();
        if !places.is_empty() {
            self.compiled += size;
            self.places.insert(slug, Filed { places, compiled: size });
        }
    }

    /// What the compiled expressions of all entries but some count.
    pub(super) fn compiled_without<'s>(&self, slugs: impl Iterator<Item = &'s str>) -> usize {
        let others = slugs.filter_map(|slug| self.places.get(slug)).map(|filed| filed.compiled).sum();
        self.compiled.saturating_sub(others)
    }

    /// Whether nothing is filed.
    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.by_label.is_empty() && self.unanchored.is_empty() && self.places.is_empty()
    }

    /// Takes an entry's matchers out.
    pub(super) fn remove(&mut self, slug: &str) {
        let Some(filed) = self.places.remove(slug) else { return };
        self.compiled -= filed.compiled;
        filed.places.iter().for_each(|place| self.take_out(place));
    }

    /// The entry whose matchers hold, by priority, then slug.
    pub(super) fn find(&self, labels: &Labels) -> Option<&Arc<EntryRecord>> {
        let mut best = Best::default();
        for bucket in self.buckets(labels) {
            best.consider(bucket, labels);
        }
        best.0.map(|(_, rule)| &rule.record)
    }

    /// The buckets whose rules may hold.
    fn buckets<'a>(&'a self, labels: &Labels) -> impl Iterator<Item = &'a Bucket> {
        let anchored = labels.iter().filter_map(|(label, value)| Some((self.by_label.get(label)?, value)));
        anchored.flat_map(|(buckets, value)| buckets.of(value)).chain([&self.unanchored])
    }

    /// How many rules a look-up may have to try.
    #[cfg(test)]
    pub(super) fn candidates(&self, labels: &Labels) -> usize {
        self.buckets(labels).map(BTreeMap::len).sum()
    }

    fn file(&mut self, rank: Rank, rule: Rule) -> Place {
        let rule = Arc::new(rule);
        let anchor = self.pick_anchor(&rule.matchers);
        match &anchor {
            None => {
                self.unanchored.insert(rank.clone(), rule);
            }
            Some((label, anchor)) => {
                self.by_label.entry(label.clone()).or_default().insert(anchor, &rank, &rule);
            }
        }
        Place { rank, anchor }
    }

    /// The anchor that shares its bucket with the fewest other rules; exact before prefix.
    fn pick_anchor(&self, matchers: &Matchers) -> Option<(String, Anchor)> {
        matchers.iter().filter_map(|matcher| Some((matcher.name().to_owned(), matcher.anchor()?))).min_by_key(
            |(label, anchor)| {
                let crowd = self.by_label.get(label).map_or(0, |buckets| buckets.crowd(anchor));
                (crowd, matches!(anchor, Anchor::Prefix(_)))
            },
        )
    }

    fn take_out(&mut self, place: &Place) {
        let Some((label, anchor)) = &place.anchor else {
            self.unanchored.remove(&place.rank);
            return;
        };
        let Some(buckets) = self.by_label.get_mut(label) else { return };
        buckets.remove(anchor, &place.rank);
        if buckets.exact.is_empty() && buckets.prefix.is_empty() {
            self.by_label.remove(label);
        }
    }
}

impl LabelBuckets {
    fn of<'a>(&'a self, value: &str) -> impl Iterator<Item = &'a Bucket> {
        let starts = self.prefix_lengths.keys().filter_map(|length| value.get(..*length));
        self.exact.get(value).into_iter().chain(starts.filter_map(|start| self.prefix.get(start)))
    }

    fn insert(&mut self, anchor: &Anchor, rank: &Rank, rule: &Arc<Rule>) {
        match anchor {
            Anchor::OneOf(values) => {
                for value in values {
                    self.exact.entry(value.clone()).or_default().insert(rank.clone(), rule.clone());
                }
            }
            Anchor::Prefix(start) => {
                let bucket = self.prefix.entry(start.clone()).or_default();
                if bucket.is_empty() {
                    *self.prefix_lengths.entry(start.len()).or_default() += 1;
                }
                bucket.insert(rank.clone(), rule.clone());
            }
        }
    }

    fn remove(&mut self, anchor: &Anchor, rank: &Rank) {
        match anchor {
            Anchor::OneOf(values) => {
                for value in values {
                    remove_from(&mut self.exact, value, rank);
                }
            }
            Anchor::Prefix(start) => {
                if !remove_from(&mut self.prefix, start, rank) {
                    return;
                }
                if let Some(count) = self.prefix_lengths.get_mut(&start.len()) {
                    *count -= 1;
                    if *count == 0 {
                        self.prefix_lengths.remove(&start.len());
                    }
                }
            }
        }
    }

    fn crowd(&self, anchor: &Anchor) -> usize {
        let size = |bucket: Option<&Bucket>| bucket.map_or(0, BTreeMap::len);
        match anchor {
            Anchor::OneOf(values) => {
                values.iter().map(|value| size(self.exact.get(value))).max().unwrap_or(0)
            }
            Anchor::Prefix(start) => size(self.prefix.get(start)),
        }
    }
}

/// Whether the bucket is gone with the rule.
fn remove_from(buckets: &mut HashMap<String, Bucket>, key: &str, rank: &Rank) -> bool {
    let Some(bucket) = buckets.get_mut(key) else { return false };
    bucket.remove(rank);
    let is_empty = bucket.is_empty();
    if is_empty {
        buckets.remove(key);
    }
    is_empty
}

/// The first rule by rank that holds, among the buckets considered.
#[derive(Default)]
struct Best<'a>(Option<(&'a Rank, &'a Rule)>);

impl<'a> Best<'a> {
    fn consider(&mut self, bucket: &'a Bucket, labels: &Labels) {
        for (rank, rule) in bucket {
            if self.0.is_some_and(|(best, _)| best <= rank) {
                return;
            }
            if rule.holds(labels) {
                self.0 = Some((rank, rule));
                return;
            }
        }
    }
}

/// Entries are checked before they are stored, so a matcher that does not parse was stored
/// by another version; the entry is still found by its names.
fn parse(set: &EntryMatcher, slug: &str) -> Option<Matchers> {
    match Matchers::parse_all_with(&set.matchers, Engine::Table) {
        Ok(matchers) if matchers.is_empty() => None,
        Ok(matchers) => Some(matchers),
        Err(_) => {
            tracing::warn!(slug, "a stored matcher of a catalog entry does not parse; it is left out");
            None
        }
    }
}
