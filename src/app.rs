//! The composition root.

pub mod configuration;
