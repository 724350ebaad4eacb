//! The program as its clients meet it: every request goes through the whole router, and a
//! scripted painter draws as far as the test allows.

mod accounts;
mod authenticator;
mod bad_input;
mod browser;
mod contract;
mod credits;
mod erasure;
mod gallery;
mod generations;
mod guards;
mod guessing;
mod jobs;
mod keys;
mod pages;
mod passkeys;
mod people;
mod portraits;
mod privacy;
mod repeats;
mod responses;
mod sealed;
mod sessions;
mod stage;
mod standing;
mod streaming;
mod trust;
