//! The integration tests, in one binary: linking it once is what takes the time.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on ends here")]

mod api_catalog;
mod api_client;
mod api_description;
mod api_envelope;
mod api_failed_events;
mod api_incident_commands;
mod api_log;
mod api_nul;
mod api_operation;
mod api_webhooks;
mod browser;
mod base_path;
mod catalog;
mod catalog_beside;
mod catalog_faults;
mod cli;
mod cli_catalog;
mod cli_check_config;
mod cli_healthcheck;
mod cli_render;
mod cli_routes;
mod cli_send_test;
mod compose;
mod config_files;
mod demo;
mod e2e;
mod kinds_docs;
mod log_index;
mod log_large;
mod log_support;
mod readme;
mod real_programs;
mod regexes_amtool;
mod replicas;
mod routes_amtool;
mod speed;
mod spine;
#[allow(dead_code, reason = "shared with tests/faults")]
mod support;
mod ui_pages;
mod ui_rooms;
mod upkeep;
mod web_support;
