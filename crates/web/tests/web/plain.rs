//! How plainly people are told about their rights: each page as they read it, measured.

use crate::browser::Browser;
use crate::consent::{ANNA, house};
use crate::language;

/// LIX (Björnsson 1968): mean words of a sentence, and the share of words of more than six letters, in percent. Up to 40
/// reads like a newspaper or easier; laws have 60 and more.
const PLAIN: usize = 40;
/// A page without sentences would be plain, and tell nobody anything.
const MIN_WORDS: usize = 10;

/// What a page says in whole sentences: its paragraphs and the items of its lists.
fn sentences(page: &str) -> String {
    let main = page.split("<main").nth(1).expect("a page");
    let main = main.split("</main>").next().expect("its end");
    let mut said = String::new();
    for mark in ["p", "li", "dd"] {
        for part in main.split(&format!("<{mark}")).skip(1) {
            // Another element that begins alike, such as <path>.
            if !part.starts_with(['>', ' ']) {
                continue;
            }
            let text = part.split_once('>').map_or("", |(_, text)| text);
            let text = text.split(&format!("</{mark}>")).next().unwrap_or_default();
            let mut is_tag = false;
            let plain = text.chars().filter(|letter| match letter {
                '<' => {
                    is_tag = true;
                    false
                }
                '>' => {
                    is_tag = false;
                    false
                }
                _ => !is_tag,
            });
            let plain: String = plain.collect();
            let plain = plain.trim();
            // Labels and numbers are no sentences.
            if plain.ends_with(['.', '?', ':']) {
                said += plain;
                said.push('\n');
            }
        }
    }
    said
}

/// Rounded up.
fn lix(text: &str) -> (usize, usize) {
    let letters = |word: &&str| word.chars().any(char::is_alphabetic);
    let words: Vec<&str> = text.split_whitespace().filter(letters).collect();
    let count = |word: &str| word.chars().filter(|letter| letter.is_alphabetic()).count();
    let long = words.iter().filter(|word| count(word) > 6).count();
    let ends = |word: &&&str| word.ends_with(['.', '?', ':', ';']);
    let sentences = words.iter().filter(ends).count().max(1);
    let all = words.len().max(1);
    (all.div_ceil(sentences) + (100 * long).div_ceil(all), all)
}

#[test]
fn what_is_plain_and_what_is_not_is_told_apart() {
    let (plain, _) = lix("You can see what is kept of you. You can have it deleted.");
    let (law, _) = lix(
        "The controller shall implement appropriate technical and organisational measures for ensuring that, \
         notwithstanding paragraph 2, personal data processed pursuant to subparagraph (a) are not, without \
         individual intervention, made accessible to an indefinite number of natural persons.",
    );
    assert!(plain < 20 && law > 60, "{plain} {law}");
}

#[tokio::test]
async fn promise_x_09_pages_of_rights_and_consent_read_as_easily_as_a_newspaper() {
    let stage = house().await;
    let anna = Browser::new(&stage);
    anna.sign_up(ANNA).await;
    for path in [
        "/privacy",
        "/privacy/request",
        "/support",
        "/trust",
        "/account/data",
        "/account/choices",
        "/account/delete",
        "/account/restriction",
        "/account/objections",
        "/account/requests",
        "/account/child",
    ] {
        let page = anna.get(path).await;
        assert_eq!(page.status, 200, "{path}");
        let (reads, words) = lix(&sentences(&page.text()));
        eprintln!("{path}: LIX {reads}, {words} words");
        assert!(words >= MIN_WORDS, "{path} says {words} words");
        assert!(reads <= PLAIN, "{path} reads like {reads}");
    }
}

/// German has longer words than English, so the same ease measures more in it: newspapers have about 50.
const PLAIN_IN_GERMAN: usize = 45;

#[tokio::test]
async fn promise_x_09_german_pages_read_as_easily_as_a_newspaper() {
    let stage = house().await;
    let anna = Browser::new(&stage);
    anna.sign_up(ANNA).await;
    language::choose(&anna, "de").await;
    let own = language::OWN.iter();
    // Of a new account, these have hardly a sentence.
    let own = own.filter(|path| !["/account", "/account/confirm", "/account/log"].contains(path));
    for path in language::OPEN.iter().chain(own) {
        let page = anna.get(path).await;
        assert_eq!(page.header("content-language"), "de", "{path}");
        let (reads, words) = lix(&sentences(&page.text()));
        eprintln!("{path}: LIX {reads}, {words} words");
        assert!(words >= MIN_WORDS, "{path} says {words} words");
        assert!(reads <= PLAIN_IN_GERMAN, "{path} reads like {reads}");
    }
}
