//! What those who run the house must not be able to do.

use super::Mutant;
use super::list::mutant;

const DUTY: &str = "crates/studio/src/privacy/duty.rs";
const LOOKING: &str = "crates/studio/src/privacy/looking.rs";
const PERSON: &str = "crates/studio/src/accounts/person.rs";

pub(crate) const MUTANTS: &[Mutant] = &[
    mutant(
        "staff-look-without-a-duty",
        "SEC-04",
        (LOOKING, "!staff.is_alone", "false"),
        "promise_sec_04_nobody_looks_without_saying_what_for_and_for_how_long",
    ),
    mutant(
        "a-duty-lasts-for-weeks",
        "SEC-04",
        (
            DUTY,
            "now.plus_millis(lasts_ms)",
            "now.plus_millis(lasts_ms * 1_000)",
        ),
        "promise_sec_04_nobody_looks_without_saying_what_for_and_for_how_long",
    ),
    mutant(
        "one-person-is-two",
        "SEC-04",
        (DUTY, "row.person()? == by.person", "false"),
        "promise_sec_04_what_a_role_does_not_read_takes_two_people",
    ),
    mutant(
        "a-lowered-role-stays-on-duty",
        "SEC-04",
        (
            PERSON,
            "duty::end_all(studio, &mut tx, person).await?",
            "()",
        ),
        "promise_sec_04_another_role_ends_what_one_was_on_duty_for",
    ),
];
