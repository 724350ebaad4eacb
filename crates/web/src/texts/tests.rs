//! The English catalogue, and how it says times and lists.

use super::*;

#[test]
fn the_catalogue_is_whole() {
    let texts: Texts = toml::from_str(CATALOGUE).expect("reads");
    assert_eq!(texts.months.len(), 12);
    assert_eq!(Texts::of(Language::German).months.len(), 12);
}

#[test]
fn times_are_said_as_people_say_them() {
    let texts = Texts::get();
    assert_eq!(texts.span(0), "1 second");
    assert_eq!(texts.span(4_200), "5 seconds");
    assert_eq!(texts.span(150_000), "3 minutes");
    assert_eq!(texts.span(9_000_000), "3 hours");
    let at = |seconds: i64| Moment::from_millis(seconds * 1000);
    assert_eq!(texts.ago(at(0), at(59)), "just now");
    assert_eq!(texts.ago(at(0), at(120)), "2 minutes ago");
    assert_eq!(texts.ago(at(0), at(3_600)), "1 hour ago");
    assert_eq!(texts.ago(at(0), at(90_000)), "1 Jan 1970, 00:00 UTC");
    assert_eq!(texts.ago(at(60), at(0)), "just now");
}

#[test]
fn unknown_words_are_named() {
    let texts = Texts::get();
    let say = |words: &[&str]| {
        texts.unknown_words(&words.iter().map(|w| (*w).to_owned()).collect::<Vec<_>>())
    };
    assert_eq!(say(&[]), None);
    assert_eq!(
        say(&["zeppelin"]).as_deref(),
        Some("This model does not know the word “zeppelin”; it was left out.")
    );
    assert_eq!(
        say(&["a", "b", "c"]).as_deref(),
        Some("This model does not know the words “a”, “b” and “c”; they were left out.")
    );
}
