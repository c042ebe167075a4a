//! The catalog: which models, prompts, pipelines and feature stores there are, who answers
//! for them, and which version was live when.
//!
//! Reading order: [`document`] is what users write, [`reading`] how a text becomes one or what is
//! wrong with it, [`validate`] what must hold of it;
//! [`snapshot`] is the catalog in memory and [`matching`] how an alert finds its entry in
//! it; [`service`] is the one door through which it changes.
//!
//! Promises: a look-up touches memory only; it sees a change as soon as the change was
//! answered; a change of an entry is stored whole, with its audit row, or not at all; an import
//! is many of them, made in steps.

mod checks;
pub mod document;
mod document_checks;
pub mod facts;
pub mod faults;
mod history;
mod matchers;
pub mod matching;
mod names;
pub mod plan;
pub mod reading;
pub mod service;
pub mod snapshot;
pub mod validate;

pub use checks::NUL_MESSAGE;
pub use facts::facts;
pub use matching::Match;
pub use snapshot::Catalog;
