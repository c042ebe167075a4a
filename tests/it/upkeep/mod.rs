//! What keeps a database fit for years: deleting what is outdated, backup, moving to another
//! database, files that others cannot read, statements that need no more time in a large one,
//! and upgrades from every earlier schema.

mod backup;
mod copy;
mod program;
pub mod raw;
mod retention;
mod running;
mod schemas;
mod statements;
