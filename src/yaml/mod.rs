//! YAML (and JSON, which is YAML) that people write: read with the place of every value,
//! compared with a JSON Schema, and everything that is wrong told with its line.
//!
//! [`read()`] is for a document that fits into memory whole, [`read_items`] for one whose bulk
//! is a list; [`Checker`] compares with a schema; [`Report`] collects what is wrong.

mod checker;
mod document;
mod items;
mod marks;
mod nearest;
mod node;
pub mod pointer;
mod problem;
mod read;
mod types;
mod view;

pub use checker::Checker;
pub use document::{Document, Fault, NOT_YAML, fault};
pub use items::{Items, Listing, read_items};
pub use marks::{Marks, Part, Position};
pub use nearest::did_you_mean;
pub use problem::{Problem, Problems, Report};
pub use read::{MAX_DEPTH, read};
pub use types::{settle_types, visit};
pub use view::{View, twin_of};
