//! Everything that reaches beyond the process's own memory and database.
//!
//! Architecture invariant: only this crate opens a connection to somewhere else.

pub mod hub;
pub mod mail;
pub mod shelf;
