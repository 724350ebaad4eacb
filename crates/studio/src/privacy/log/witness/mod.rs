//! Witnesses: others who see the log grow, and sign that it never lost anything (C2SP, tlog-witness and
//! tlog-cosignature). A house asks its witnesses, and is one for other houses. With one that the
//! operator doesn't run, even who has the database and all keys can't write another past.

pub mod asking;
pub mod watching;

use super::checkpoint::Head;
use super::note::VerifierKey;
use crate::privacy::keys;

/// What is signed of a note: when it was seen, and all of it. It begins as no note and no document of
/// a house does.
fn statement(seconds: u64, head: &Head<'_>) -> String {
    format!("cosignature/v1\ntime {seconds}\n{}", head.text)
}

/// A signature with its time, as the line of a note carries it.
fn timed(seconds: u64, signature: &[u8]) -> Vec<u8> {
    [&seconds.to_be_bytes()[..], signature].concat()
}

/// When this witness saw the note, in seconds since 1970, if one of the lines is its own.
fn seen(witness: &VerifierKey, head: &Head<'_>, lines: &str) -> Option<u64> {
    let times = witness.among(lines).filter_map(|bytes| {
        let (seconds, signature) = bytes.split_first_chunk()?;
        let seconds = u64::from_be_bytes(*seconds);
        let said = statement(seconds, head);
        keys::verify(&witness.public, said.as_bytes(), signature).then_some(seconds)
    });
    times.max()
}
