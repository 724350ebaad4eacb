//! The texts of the pages that are told in German: those of the English catalogue, with German ones in the place of
//! whatever these pages show.

use std::sync::LazyLock;

use super::{CATALOGUE, Texts};

/// What pages in German show. Whatever is missing here, only pages in English show.
const GERMAN_CATALOGUE: &str = concat!(
    include_str!("../../texts/de.toml"),
    include_str!("../../texts/de-people.toml"),
    include_str!("../../texts/de-forgetting.toml"),
    include_str!("../../texts/de-rights.toml"),
    include_str!("../../texts/de-choices.toml"),
);

pub(super) static GERMAN: LazyLock<Texts> = LazyLock::new(|| {
    let read = |text| toml::from_str::<toml::Table>(text).expect("a test reads the same files");
    let mut whole = read(CATALOGUE);
    for (group, said) in read(GERMAN_CATALOGUE) {
        match (whole.get_mut(&group), said) {
            (Some(toml::Value::Table(group)), toml::Value::Table(said)) => group.extend(said),
            (_, said) => drop(whole.insert(group, said)),
        }
    }
    whole.try_into().expect("a test reads the same files")
});

#[cfg(test)]
mod tests {
    use super::*;

    /// Groups of which pages in German show a part.
    const IN_PART: [&str; 11] = [
        "about",
        "account",
        "credits",
        "desk",
        "door",
        "examples",
        "notices",
        "organisations",
        "pictures",
        "studio",
        "trust",
    ];

    #[test]
    fn promise_x_09_the_german_texts_say_what_the_english_ones_say() {
        let read = |text| toml::from_str::<toml::Table>(text).expect("reads");
        let (english, german) = (read(CATALOGUE), read(GERMAN_CATALOGUE));
        for (group, said) in &german {
            let Some(said) = said.as_table() else {
                continue;
            };
            let whole = english[group].as_table().expect("a group");
            for (name, words) in whole {
                let Some(other) = said.get(name) else {
                    assert!(
                        IN_PART.contains(&group.as_str()),
                        "[{group}] {name} has no German: add it below [{group}] in crates/web/texts/de*.toml"
                    );
                    continue;
                };
                let blanks = |value: &toml::Value| value.to_string().matches("{}").count();
                assert_eq!(
                    blanks(words),
                    blanks(other),
                    "[{group}] {name}: as many {{}}"
                );
                assert_eq!(
                    words.as_table().map(toml::Table::len),
                    other.as_table().map(toml::Table::len)
                );
            }
            for name in said.keys() {
                assert!(
                    whole.contains_key(name),
                    "[{group}] {name} is no English text any more"
                );
            }
        }
    }
}
