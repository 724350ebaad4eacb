//! Ways to break what is promised to whoever comes, before they have an account.

use super::Mutant;
use super::list::mutant;

const CROWD: &str = "crates/studio/src/visits/crowd.rs";
const VISITS: &str = "crates/studio/src/visits/mod.rs";
const COUNTING: &str = "crates/web/src/guard/visits.rs";
const GATE: &str = "crates/web/src/pages/door/gate.rs";
const CALLER: &str = "crates/web/src/caller.rs";

const AGENT: &str = "crates/web/src/agent.rs";
const COOKIES: &str = "crates/web/src/cookies.rs";
const THROTTLE: &str = "crates/studio/src/accounts/throttle.rs";

pub(super) const COMING: &[Mutant] = &[
    mutant(
        "an-account-takes-any-number-of-guesses",
        "USE-06",
        (
            THROTTLE,
            "self.take(now, self.account(address), OF_ACCOUNT).is_err()",
            "false",
        ),
        "promise_use_06_a_stuffing_run_on_one_account_fails_and_its_owner_gets_in",
    ),
    mutant(
        "a-person-does-not-know-the-browsers-again",
        "GEN-06",
        (AGENT, "first(SYSTEMS, \"\")", "\"\""),
        "promise_use_02_of_a_browser_its_family_is_kept_and_of_its_address_nothing",
    ),
    mutant(
        "scripts-can-read-the-cookies",
        "CNS-01",
        (
            COOKIES,
            "format!(\"{name}={value}; Path=/{lives}; HttpOnly; SameSite=Lax{secure}\")",
            "format!(\"{name}={value}; Path=/{lives}; SameSite=Lax{secure}\")",
        ),
        "promise_cns_01_signed_out_no_cookie_signed_in_exactly_the_declared",
    ),
    mutant(
        "few-people-are-told-of-alone",
        "USE-03",
        (CROWD, "surely(kind, &few) < CROWD", "false"),
        "promise_use_03_no_number_and_no_difference_is_about_fewer_than_ten",
    ),
    mutant(
        "the-number-of-the-day-never-turns",
        "USE-03",
        (VISITS, "counting.today.day != day_of(now)", "false"),
        "promise_use_03_after_the_number_of_the_day_turned_nobody_is_found_again",
    ),
    mutant(
        "counters-do-not-hear-the-signal",
        "USE-05",
        (COUNTING, "signal == Signal::Objects", "false"),
        "promise_use_05_who_sends_the_signal_leaves_no_row",
    ),
    mutant(
        "who-objects-is-counted",
        "USE-05",
        (COUNTING, "known.may_be_counted", "true"),
        "promise_use_05_who_objects_is_not_counted_from_the_next_page_on",
    ),
    mutant(
        "all-that-a-browser-says-is-kept",
        "USE-02",
        (
            CALLER,
            "Family::of(agent(&parts.headers)).in_words()",
            "agent(&parts.headers).to_owned()",
        ),
        "promise_use_02_of_a_browser_its_family_is_kept_and_of_its_address_nothing",
    ),
    mutant(
        "the-address-of-a-browser-is-kept",
        "USE-01",
        (
            CALLER,
            "Family::of(agent(&parts.headers)).in_words()",
            "from(&parts.extensions, &parts.headers, site).to_string()",
        ),
        "promise_use_02_of_a_browser_its_family_is_kept_and_of_its_address_nothing",
    ),
    mutant(
        "another-date-may-be-tried",
        "CHD-01",
        (
            GATE,
            "hash == hash_of(site, Verdict::Shut, nonce, day)",
            "false",
        ),
        "promise_chd_01_going_back_and_writing_another_date_is_refused_and_nothing_is_kept",
    ),
];
