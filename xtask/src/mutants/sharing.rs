//! What is agreed to picture by picture must not become what is done by itself.

use super::Mutant;
use super::list::mutant;

const BY_PICTURE: &str = "crates/studio/src/privacy/consent/by_picture.rs";
const DECIDING: &str = "crates/studio/src/privacy/consent/deciding.rs";
const TRAINING: &str = "crates/studio/src/training.rs";
const EXAMPLES: &str = "crates/web/src/pages/examples.rs";

pub(crate) const MUTANTS: &[Mutant] = &[
    mutant(
        "everything-is-learned-from",
        "GEN-08",
        (BY_PICTURE, "allowed == 0", "allowed == 7"),
        "promise_gen_08_models_learn_from_nothing_that_was_not_agreed_to",
    ),
    mutant(
        "a-private-picture-is-agreed-to",
        "GEN-08",
        (BY_PICTURE, "Err(ConsentError::Private)", "Ok(())"),
        "promise_gen_08_what_is_agreed_to_is_one_picture_of_ones_own_in_the_words_of_today",
    ),
    mutant(
        "one-yes-holds-for-all-pictures",
        "GEN-08",
        (DECIDING, "!about.is_sound()", "false"),
        "promise_gen_08_what_is_agreed_to_is_one_picture_of_ones_own_in_the_words_of_today",
    ),
    mutant(
        "one-person-gives-most-of-a-collection",
        "OWN-03",
        (TRAINING, "pictures.truncate(most)", "pictures.truncate(99)"),
        "promise_own_03_a_collection_tells_of_nobody_and_nobody_gives_more_than_a_tenth",
    ),
    mutant(
        "words-with-an-address-go-along",
        "OWN-03",
        (
            TRAINING,
            "!tells_of_somebody(words.expose(), &known)",
            "known.len() < 99",
        ),
        "promise_own_03_a_collection_tells_of_nobody_and_nobody_gives_more_than_a_tenth",
    ),
    mutant(
        "what-a-browser-has-is-confirmed-though-it-was-taken-back",
        "OWN-04",
        (
            EXAMPLES,
            "file.ok_or_else(Problem::no_picture)?",
            "match file { Some(file) => file, None => return Ok(StatusCode::NOT_MODIFIED.into_response()) }",
        ),
        "promise_own_04_nothing_is_shown_that_was_not_agreed_to_and_a_no_holds_at_once",
    ),
    mutant(
        "a-german-yes-is-written-down-as-an-english-one",
        "X-09",
        (
            DECIDING,
            "optional.edition().sha256_in(language)",
            "{ let _ = language; optional.edition().sha256() }",
        ),
        "promise_x_09_a_yes_to_the_german_words_is_the_same_yes_and_its_receipt_says_what_was_read",
    ),
];
