//! What help, letters, the log of the program and the accounts of children must not become.

use super::Mutant;
use super::list::mutant;

const TALKING: &str = "crates/studio/src/support/talking.rs";
const LOG_FILES: &str = "crates/app/src/log_files.rs";
const CHILD: &str = "crates/studio/src/privacy/restriction/child.rs";
const LETTERS: &str = "crates/web/src/letters.rs";
const ASKING: &str = "crates/studio/src/support/asking.rs";

pub(crate) const MUTANTS: &[Mutant] = &[
    mutant(
        "pictures-outstay-their-ticket",
        "COM-01",
        (TALKING, "closed.is_some()", "false"),
        "promise_com_01_pictures_tell_nothing_but_what_they_show_and_go_when_it_is_closed",
    ),
    mutant(
        "a-ticket-from-before-the-account-is-forgotten-by-nobody",
        "COM-01",
        (
            ASKING,
            "to.is_some_and(|to| to.folded() == address.folded())",
            "false",
        ),
        "promise_com_01_an_erased_account_leaves_no_ticket_not_even_from_before_it",
    ),
    mutant(
        "what-is-answered-never-closes",
        "COM-01",
        (
            TALKING,
            "studio.clock.now().plus_millis(-SILENT_MS).as_millis()",
            "studio.clock.now().plus_millis(-2 * SILENT_MS).as_millis()",
        ),
        "promise_com_01_what_is_answered_closes_by_itself_and_goes_a_year_later",
    ),
    mutant(
        "a-link-says-who-followed-it",
        "COM-02",
        (
            LETTERS,
            "format!(\"{home}{path}\")",
            "format!(\"{home}{path}?utm_source=letter\")",
        ),
        "promise_com_02_every_letter_leads_to_its_own_house_alone_and_loads_nothing",
    ),
    mutant(
        "the-log-is-kept-for-ever",
        "USE-04",
        (
            LOG_FILES,
            "began.is_some_and(|began| began.plus_millis(LOG_KEPT_MS) <= now)",
            "false",
        ),
        "promise_use_04_a_line_of_the_log_is_gone_14_days_after_its_day",
    ),
    mutant(
        "a-childs-account-is-kept-where-somebody-contests",
        "CHD-02",
        (CHILD, "since + WEIGHED_MS", "since + 2 * WEIGHED_MS"),
        "promise_chd_02_what_is_contested_is_weighed_before_anything_goes_and_in_time",
    ),
    mutant(
        "a-childs-account-goes-on",
        "CHD-02",
        (
            CHILD,
            "begin_in(studio, &mut tx, person, Mode::Minor, reason).await?",
            "begin_in(studio, &mut tx, person, Mode::Open, reason).await?",
        ),
        "promise_chd_02_a_report_is_read_and_what_is_known_locks_and_erases_with_a_receipt",
    ),
];
