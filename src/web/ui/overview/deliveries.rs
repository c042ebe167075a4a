//! Messages of the last day by the hour, counted as far as a moment allows: a page never waits
//! for a count, and hours that are over are not counted again for a while.

use std::time::{Duration, Instant};

use crate::domain::clock::Timestamp;
use crate::store::overview::MessageCount;
use crate::store::{Store, StoreError};
use crate::web::hour_counts::HourCounts;
use crate::web::ui::parts::chart::Column;

const HOUR: Duration = Duration::from_secs(3_600);
const HOURS: u32 = 24;
/// How long one page may spend on counting.
const BUDGET: Duration = Duration::from_millis(15);
/// How long a count of an hour that is over is good enough: messages may still end.
const FRESH: Duration = Duration::from_secs(120);
/// And that of the present hour.
const FRESH_NOW: Duration = Duration::from_secs(1);

/// The last day, oldest hour first.
///
/// # Errors
/// When the database does not answer.
pub async fn last_day(store: &Store, counts: &HourCounts, now: Timestamp) -> Result<Vec<Column>, StoreError> {
    let began = Instant::now();
    let hour_ms = HOUR.as_millis() as i64;
    let present = Timestamp::from_millis(now.as_millis() - now.as_millis().rem_euclid(hour_ms));
    let mut hours = Vec::new();
    for back in 0..HOURS {
        let from = present.minus(HOUR * back);
        let freshness = if back == 0 { FRESH_NOW } else { FRESH };
        let known = counts.get(from);
        let is_due = known.is_none_or(|(_, age)| age > freshness);
        let mut count = known.map(|(count, _)| count);
        if is_due && began.elapsed() < BUDGET {
            let counted = store.count_notifications(from, from.plus(HOUR)).await?;
            counts.keep(from, counted);
            count = Some(counted);
        }
        hours.push(Column {
            from,
            good: count.map(MessageCount::delivered),
            bad: count.map_or(0, |count| count.failed),
        });
    }
    counts.forget_before(present.minus(HOUR * HOURS));
    hours.reverse();
    Ok(hours)
}
