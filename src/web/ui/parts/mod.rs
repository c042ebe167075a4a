//! What pages are made of, each piece once.

pub mod badge;
pub mod chart;
pub mod code;
pub mod extras;
pub mod filter;
pub mod form;
pub mod head;
pub mod link;
pub mod markdown;
pub mod message;
pub mod moment;
pub mod notice;
pub mod query;
pub mod table;
