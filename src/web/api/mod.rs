//! The REST API: one resource a file.

pub mod catalog;
pub mod catalog_history;
pub mod catalog_import;
pub mod catalog_item;
pub mod channels;
pub mod events;
pub mod format;
pub mod incident_commands;
pub mod incidents;
pub mod notifications;
pub mod precondition;
pub mod query;
pub mod status;
