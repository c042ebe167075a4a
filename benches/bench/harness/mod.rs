//! What measures the product: the load generator, the provider, the bare limits, and the
//! figures made of them. The benchmark runs all of it, the tests a shortened part.

pub mod bare;
pub mod body;
pub mod cpu;
pub mod figures;
pub mod load;
pub mod log_database;
pub mod machine;
pub mod product;
pub mod report;
pub mod sink;
pub mod stats;
pub mod wire;
