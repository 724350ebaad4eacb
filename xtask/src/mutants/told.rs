//! Ways to break what is promised of the privacy notice and its versions.

use super::Mutant;
use super::list::mutant;

const CONTROLLER: &str = "crates/domain/src/controller.rs";
const DIFFERENCE: &str = "crates/studio/src/privacy/policies/difference.rs";
const PUBLISHING: &str = "crates/studio/src/privacy/policies/publishing.rs";
const POLICIES: &str = "crates/studio/src/privacy/policies/mod.rs";
const RULING: &str = "crates/studio/src/privacy/policies/ruling.rs";

const TELLING: &str = "crates/studio/src/privacy/policies/telling.rs";

const PAGES: &str = "crates/web/src/pages/policies.rs";
const HOLDS: &str = "crates/studio/src/privacy/holds.rs";

pub(super) const TOLD: &[Mutant] = &[
    mutant(
        "the-newest-version-is-in-no-feed",
        "POL-05",
        (
            PAGES,
            "heads.iter().rev().map(item).collect()",
            "heads.iter().rev().skip(1).map(item).collect()",
        ),
        "promise_pol_05_programs_find_each_version_in_the_feeds_and_which_one_holds",
    ),
    mutant(
        "a-hold-may-last-for-ever",
        "LEG-04",
        (HOLDS, "new.ends > now.plus_millis(MAX_MS)", "false"),
        "promise_leg_04_a_hold_is_reasoned_ends_and_is_told_when_that_is_lawful",
    ),
    mutant(
        "a-house-opens-without-an-address",
        "GOV-01",
        (CONTROLLER, "Some(Trouble::Missing)", "None"),
        "promise_gov_01_each_field_that_is_empty_is_named_with_its_variable",
    ),
    mutant(
        "a-version-does-not-name-the-one-before",
        "GOV-03",
        (
            PUBLISHING,
            "last.map(|last| last.sha256).unwrap_or_default()",
            "last.map(|_| String::new()).unwrap_or_default()",
        ),
        "promise_pol_01_the_version_that_is_served_is_the_one_in_force_at_that_time",
    ),
    mutant(
        "a-longer-retention-does-not-matter",
        "POL-01",
        (
            DIFFERENCE,
            "one[\"after\"] == limit[\"after\"] && ms(one) <= ms(limit)",
            "one[\"after\"] == limit[\"after\"]",
        ),
        "promise_pol_01_the_program_judges_what_matters_to_people",
    ),
    mutant(
        "an-operator-shortens-the-notice-period",
        "POL-01",
        (PUBLISHING, "effective < earliest", "effective < now"),
        "promise_pol_01_the_version_that_is_served_is_the_one_in_force_at_that_time",
    ),
    mutant(
        "a-version-holds-before-its-day",
        "POL-01",
        (
            POLICIES,
            "heads.iter().rfind(|head| head.effective() <= now)",
            "heads.last()",
        ),
        "promise_pol_01_the_version_that_is_served_is_the_one_in_force_at_that_time",
    ),
    mutant(
        "a-build-runs-that-no-version-tells-of",
        "POL-01",
        (
            RULING,
            "Err(Refusal::NotPublished { in_force, changes })",
            "Ok(())",
        ),
        "promise_pol_01_what_a_build_does_was_published_and_its_day_has_come",
    ),
    mutant(
        "a-change-is-told-twice",
        "POL-02",
        (TELLING, "written == 0", "false"),
        "promise_pol_02_processes_that_tell_at_once_write_to_each_person_once",
    ),
    mutant(
        "the-banner-goes-on-its-day",
        "POL-03",
        (
            TELLING,
            "head.effective.plus_millis(NOTICE_MS) > now",
            "head.effective > now",
        ),
        "promise_pol_03_a_change_is_announced_until_a_month_after_its_day",
    ),
    mutant(
        "a-notice-is-read-again-and-again",
        "POL-04",
        (
            TELLING,
            "\"UPDATE policy_notice SET acknowledged_ms = $3 WHERE policy = $1 AND person_id = $2 \\\n             AND acknowledged_ms IS NULL\"",
            "\"UPDATE policy_notice SET acknowledged_ms = $3 WHERE policy = $1 AND person_id = $2\"",
        ),
        "promise_pol_04_a_change_that_matters_is_in_the_app_until_it_is_read_once",
    ),
];
