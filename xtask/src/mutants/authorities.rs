//! What authorities must not get, and what must not stay hidden of that and of breaches.

use super::Mutant;
use super::list::mutant;

const DECIDING: &str = "crates/studio/src/privacy/disclosures/deciding.rs";
const PACKAGE: &str = "crates/studio/src/privacy/disclosures/package.rs";
const CLOCK: &str = "crates/studio/src/privacy/disclosures/clock.rs";
const AFFECTED: &str = "crates/studio/src/privacy/breaches/affected.rs";
const AGGREGATES: &str = "crates/studio/src/privacy/aggregates.rs";
const TRANSFER: &str = "crates/studio/src/privacy/policies/transfer.rs";
const BREACHES: &str = "crates/studio/src/privacy/breaches/mod.rs";

pub(crate) const MUTANTS: &[Mutant] = &[
    mutant(
        "one-person-hands-out-alone",
        "LEG-01",
        (DECIDING, "row.first_by.as_ref() == Some(&own)", "false"),
        "promise_leg_01_two_different_people_agree_before_anything_is_handed_out",
    ),
    mutant(
        "a-package-forgets-its-span",
        "LEG-01",
        (PACKAGE, "from.as_millis()", "0"),
        "promise_leg_01_a_package_holds_the_columns_of_its_scope_and_nothing_else",
    ),
    mutant(
        "a-gag-never-ends",
        "LEG-01",
        (CLOCK, "row.told_ms.is_some()", "true"),
        "promise_leg_01_a_gag_ends_and_the_person_is_told_with_the_leaf_of_then",
    ),
    mutant(
        "whoever-agreed-looks-again",
        "LEG-02",
        (DECIDING, "*who == own", "false"),
        "promise_leg_02_an_emergency_takes_one_and_is_looked_at_again_by_somebody_else",
    ),
    mutant(
        "a-breach-concerns-everybody-who-was-looked-at-by-anybody",
        "SEC-08",
        (
            AFFECTED,
            "log::looked_at_by(studio, &mut tx, &reader, from, until).await?",
            "{ let _ = reader; kept(&mut tx, \"person\", until).await? }",
        ),
        "promise_sec_08_a_drill_finds_in_the_log_whom_a_breach_concerns_and_tells_each_once",
    ),
    mutant(
        "a-breach-may-wait",
        "X-03",
        (
            BREACHES,
            "noticed.plus_millis(REPORT_MS)",
            "noticed.plus_millis(2 * REPORT_MS)",
        ),
        "promise_x_03_a_breach_is_reported_within_72_hours_or_everybody_sees_that_it_was_not",
    ),
    mutant(
        "bidders-get-exact-numbers",
        "LEG-03",
        (AGGREGATES, "cell.times - cell.times % step", "cell.times"),
        "promise_leg_03_bidders_reckon_nobody_from_sums_and_from_differences",
    ),
    mutant(
        "a-house-goes-before-its-day",
        "LEG-03",
        (TRANSFER, "now < transfer.ready", "false"),
        "promise_leg_03_a_house_goes_to_nobody_before_people_had_30_days",
    ),
];
