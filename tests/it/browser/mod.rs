//! Pages in a real browser, and the harness itself: that what it reports is seen, and that it
//! can fail.

mod harness;
mod jobs;
mod pages;
mod people;
mod stage;
mod tour;
