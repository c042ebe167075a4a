//! HTTP: webhooks in, the REST API, the pages people look at, and what operators expect of every such program.
//!
//! Promises: every error is problem+json with a request id, or a page for who asked for one; no answer of the API redirects; nothing
//! a stranger sends is read without a limit in size and time; no secret in any answer.
//! [`routes`] has the whole surface on one screen.

pub mod api;
pub mod auth;
pub mod base_path;
pub mod body;
pub mod connections;
pub mod docs;
pub mod envelope;
pub mod health;
pub mod hour_counts;
pub mod live_views;
pub mod openapi;
pub mod optional_json;
pub mod origin;
pub mod page;
pub mod path;
pub mod problem;
pub mod problem_pages;
pub mod routes;
pub mod server;
pub mod state;
pub mod stored_bodies;
pub mod text;
pub mod tokens;
pub mod ui;
pub mod webhook_body;
pub mod webhooks;
