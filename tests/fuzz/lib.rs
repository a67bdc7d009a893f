//! The properties of the fuzz targets, and the second reading of the RFCs that they compare with.

mod properties;
#[path = "../oracle/rfc/mod.rs"]
pub mod rfc;

pub use properties::try_on;
