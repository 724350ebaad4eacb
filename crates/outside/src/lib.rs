//! Everything that reaches beyond the process's own memory and database.
//!
//! Architecture invariant: only this crate opens a connection to somewhere else, and only to
//! whom the register of recipients names: see [`domain::recipient`].

pub mod hub;
pub mod mail;
pub mod shelf;
pub mod witness;
