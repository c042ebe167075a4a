//! The REST API: one resource a file.

pub mod format;
pub mod incidents;
pub mod notifications;
pub mod query;
pub mod status;
