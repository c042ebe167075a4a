//! Real programs and small tools for the integration tests.

pub mod alertmanager;
pub mod browser;
pub mod databases;
pub mod http;
pub mod pgbouncer;
pub mod postgres;
pub mod postgres_cut;
pub mod postgres_own;
pub mod program;
pub mod service;
pub mod smtp_real;
