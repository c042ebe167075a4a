//! Messages of the last day by the hour, counted as far as a moment allows: a page never waits
//! for a count, and hours that are over are not counted again for a while.

use std::collections::HashMap;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::domain::clock::Timestamp;
use crate::store::overview::MessageCount;
use crate::store::{Store, StoreError};
use crate::web::ui::parts::chart::Column;

const HOUR: Duration = Duration::from_secs(3_600);
const HOURS: u32 = 24;
/// How long one page may spend on counting.
const BUDGET: Duration = Duration::from_millis(25);
/// How long a count of an hour that is over is good enough: messages may still end.
const FRESH: Duration = Duration::from_secs(120);
/// And that of the present hour.
const FRESH_NOW: Duration = Duration::from_secs(1);

/// By the hour's beginning, milliseconds: the count, and when it was made.
type Counts = HashMap<i64, (MessageCount, Instant)>;

static KNOWN: LazyLock<Mutex<Counts>> = LazyLock::new(Mutex::default);

/// The last day, oldest hour first.
///
/// # Errors
/// When the database does not answer.
pub async fn last_day(store: &Store, now: Timestamp) -> Result<Vec<Column>, StoreError> {
    let began = Instant::now();
    let hour_ms = HOUR.as_millis() as i64;
    let present = Timestamp::from_millis(now.as_millis() - now.as_millis().rem_euclid(hour_ms));
    let mut hours = Vec::new();
    for back in 0..HOURS {
        let from = present.minus(HOUR * back);
        let freshness = if back == 0 { FRESH_NOW } else { FRESH };
        let known = KNOWN.lock().get(&from.as_millis()).copied();
        let is_due = known.is_none_or(|(_, at)| at.elapsed() > freshness);
        let mut count = known.map(|(count, _)| count);
        if is_due && began.elapsed() < BUDGET {
            let counted = store.count_notifications(from, from.plus(HOUR)).await?;
            KNOWN.lock().insert(from.as_millis(), (counted, Instant::now()));
            count = Some(counted);
        }
        hours.push(Column {
            from,
            good: count.map(MessageCount::delivered),
            bad: count.map_or(0, |count| count.failed),
        });
    }
    let oldest = present.minus(HOUR * HOURS).as_millis();
    KNOWN.lock().retain(|from, _| *from > oldest);
    hours.reverse();
    Ok(hours)
}
