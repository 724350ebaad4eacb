//! The program as its clients meet it: every request goes through the whole router, and a
//! scripted painter draws as far as the test allows.

mod bad_input;
mod generations;
mod guards;
mod jobs;
mod pages;
mod responses;
mod stage;
mod streaming;
