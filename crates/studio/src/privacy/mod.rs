//! Is forgotten: what is kept of people, where, why and until when, in one declaration, and what
//! holds the program to it.

pub mod inventory;

pub mod wording;

pub mod keys;

pub(crate) mod canonical;

pub mod receipt;

pub mod log;

pub mod audit;

pub mod fence;

pub mod looking;

pub mod duty;

pub mod access;

pub mod aggregates;

pub mod export;

pub mod import;

pub mod breaches;
pub mod disclosures;
pub mod holds;

pub mod retention;

pub mod keeping;

pub mod traces;

pub mod erasure;

pub mod backup;

pub mod restriction;

pub mod correction;

pub mod authorities;

pub mod requests;

pub mod objection;

pub mod recipients;

pub mod consent;

pub mod notice;

pub mod policies;

pub mod assessment;
