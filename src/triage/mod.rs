//! Triage: what an event means for which incident, and who must know.
//!
//! Takes stored events in order, many per transaction: finds the catalog entry of each
//! alert, normalises its severity, opens or changes the incident of its dedup key, walks
//! the routing tree and asks [`decide`] per channel. Events, timers and commands of people
//! change incidents in one way ([`change`]): load, work, commit. An event and what follows
//! from it commit together, so a crash at any point leaves either both or neither.

mod batch;
pub mod change;
pub mod commands;
pub mod decide;
mod evaluate;
pub mod incidents;
mod loaded;
mod observe;
mod pace;
pub mod processor;
pub mod rehearsal;
pub mod route_checks;
pub mod route_trial;
pub mod routes;
pub mod rules;
mod set_aside;
pub mod subject;
mod timers;
mod working_set;
