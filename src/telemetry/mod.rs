//! What the program tells about itself: [`metrics`] for Prometheus and [`logging`] for
//! people and log stores. Promises: no secret in either, and no metric whose number of
//! series a stranger can drive up.

mod exposition;
pub mod logging;
pub mod metrics;
