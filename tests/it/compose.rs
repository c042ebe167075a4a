//! The files that are deployed: the rule packs, the compose set-up and the image. They are
//! checked with the tools that will read them, and then run.

mod image;
mod live;
mod local;
mod rules;
mod services;
