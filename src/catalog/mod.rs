//! The catalog: which models, prompts, pipelines and feature stores there are, who answers
//! for them, and which version was live when.
//!
//! Reading order: [`document`] is what users write, [`validate`] what must hold of it;
//! [`snapshot`] is the catalog in memory and [`matching`] how an alert finds its entry in
//! it; [`service`] is the one door through which it changes.
//!
//! Promises: a look-up touches memory only; it sees a change as soon as the change was
//! answered; a change of an entry is stored whole, with its audit row, or not at all; an import
//! is many of them, made in steps.

mod checks;
pub mod document;
pub mod facts;
mod history;
mod matchers;
pub mod matching;
mod names;
pub mod plan;
pub mod service;
pub mod snapshot;
pub mod validate;

pub use facts::facts;
pub use matching::Match;
pub use snapshot::Catalog;
