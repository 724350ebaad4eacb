//! The values that every other crate speaks in: ids, time, randomness, credits, prompts, pictures,
//! and the one trait behind which pictures are drawn.
//!
//! Architecture invariant: nothing here does input or output, and nothing here knows SQL,
//! HTTP, tensors or a vendor.

pub mod clock;
pub mod controller;
pub mod credits;
pub mod ids;
pub mod language;
pub mod model;
pub mod painter;
pub mod personal;
pub mod picture;
pub mod prompt;
pub mod randomness;
pub mod recipient;
pub mod role;
pub mod secret;
