//! HL7 FHIR R4 bundles: a patient and one result. What a result is, and where its claims are found, is in the categories' files.

mod bundle;
mod mapping;
mod path;
mod patient;
mod read;

pub use mapping::{Extract, Kind, Mapping, Meaning, Requirement};
pub use read::{MAX_BYTES, read, read_value};
