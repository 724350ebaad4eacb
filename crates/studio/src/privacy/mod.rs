//! Is forgotten: what is kept of people, where, why and until when, in one declaration, and what
//! holds the program to it.

pub mod inventory;

pub mod keys;

mod canonical;

pub mod log;

pub mod audit;

pub mod fence;

pub mod access;

pub mod retention;

pub mod traces;

pub mod erasure;

pub mod notice;
