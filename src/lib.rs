//! Modelpager: the alert receiver for ML teams.
//!
//! The way of an alert, in reading order: [`intake`] stores what Alertmanager posts before
//! it answers; [`triage`] finds the catalog entry, keeps the incident and decides who must
//! know; [`dispatch`] renders and sends through [`channels`] and records every attempt.
//! [`store`] holds it all; [`catalog`] knows the models; [`web`] is the HTTP surface;
//! [`app`] puts the parts together and [`cli`] is the command line.
//!
//! A module imports only from those listed after it here; `tests/tidy.rs` holds that.

pub mod app;
pub mod catalog;
pub mod channels;
pub mod cli;
pub mod config;
pub mod dispatch;
pub mod domain;
pub mod fakes;
pub mod http;
pub mod intake;
pub mod render;
pub mod store;
pub mod telemetry;
pub mod triage;
pub mod web;
pub mod yaml;
