//! The REST API: one resource a file.

pub mod status;
