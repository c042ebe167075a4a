//! Durability, proven by faults: the real program is driven from outside on both databases
//! while things break around it. What was answered 200 must be in the log afterwards, and
//! what was owed must have been told.
//!
//! Chance is seeded: a failing test prints `FAULTS_SEED=…`, and with that variable set the
//! same numbers are drawn again.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on ends here")]

mod attacks;
mod chance;
mod clocks;
mod costly;
mod disk;
mod kill;
mod large_body;
mod ledger;
mod load;
mod long_texts;
mod lost_file;
mod provider;
mod receiver;
mod small_disk;
mod stop;
mod storm;
#[path = "../it/support/mod.rs"]
#[allow(dead_code, unused_imports, unused_macros, reason = "shared with tests/it, which uses all of it")]
mod support;
