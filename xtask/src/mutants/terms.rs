//! What terms must not do to people.

use super::Mutant;
use super::list::mutant;

const ACCEPTING: &str = "crates/studio/src/terms/accepting.rs";
const ENTRY: &str = "crates/web/src/guard/entry.rs";

pub(crate) const MUTANTS: &[Mutant] = &[
    mutant(
        "who-has-not-accepted-draws",
        "OWN-06",
        (
            ENTRY,
            "terms::owes(&site.studio, known.person).await?",
            "false",
        ),
        "promise_own_06_who_does_not_accept_keeps_their_rights_and_draws_nothing",
    ),
    mutant(
        "who-has-not-accepted-loses-their-rights",
        "OWN-06",
        (
            ENTRY,
            "operation.is_done_in(Mode::Restricted) && !is_studio",
            "false",
        ),
        "promise_own_06_who_does_not_accept_keeps_their_rights_and_draws_nothing",
    ),
    mutant(
        "any-version-is-accepted",
        "OWN-06",
        (ACCEPTING, "head.sha256 == shown", "true"),
        "promise_own_06_who_does_not_accept_keeps_their_rights_and_draws_nothing",
    ),
];
