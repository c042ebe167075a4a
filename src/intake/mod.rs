//! To come.

pub mod alertmanager;
mod depth;
mod sniff;
mod text;
mod twin;
mod verdict;
mod wire;
