//! Pictures drawn on this machine: weights, words, samplers, kernels and the pipelines made of
//! them, behind [`painter::LocalPainter`].
//!
//! In the order of a drawing: [`painter`] takes briefs and keeps the models in memory, a model
//! reads the prompt ([`words`]), draws [`noise`] from the seed, takes steps towards a picture
//! ([`samplers`]) and decodes it. [`mini`] is the make of the model that ships inside the
//! program, [`diffusion`] that of larger ones, which [`catalogue`] lists.
//!
//! Architecture invariants: nothing here knows a person, SQL, HTTP or an async runtime; nothing
//! is read from the network; weights are safetensors and nothing else; the same brief on the same
//! model gives the same picture on any number of threads and beside any other briefs.

pub mod catalogue;
pub mod diffusion;
mod easel;
pub mod kernels;
pub mod memory;
pub mod mini;
mod models;
pub mod noise;
pub mod painter;
pub mod samplers;
pub mod shipped;
pub mod weights;
pub mod words;
