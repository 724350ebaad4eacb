//! What the program says of people's data, in the languages in which people read it. Its own words are
//! English and stand beside what they are about; the files in `texts` have each of them in German. Other
//! English words have no German until somebody says them in it, and a test names what is missing.

use std::collections::HashMap;
use std::sync::LazyLock;

use domain::language::Language;

const FILES: [&str; 3] = [
    include_str!("../../texts/de-kept.toml"),
    include_str!("../../texts/de-notice.toml"),
    include_str!("../../texts/de-account.toml"),
];

static GERMAN: LazyLock<HashMap<String, String>> = LazyLock::new(|| {
    let read = |file| -> HashMap<String, String> {
        toml::from_str(file).expect("a test reads the same files")
    };
    FILES.into_iter().flat_map(read).collect()
});

/// These words in a language; `None` where it has none for them.
#[must_use]
pub fn known(language: Language, words: &str) -> Option<&str> {
    match language {
        Language::English => Some(words),
        Language::German => GERMAN.get(words).map(String::as_str),
    }
}

/// These words in a language, or as they are.
#[must_use]
pub fn say(language: Language, words: &str) -> &str {
    known(language, words).unwrap_or(words)
}

/// A pattern in a language, with what goes where it has `{}`, in the same order.
#[must_use]
pub fn fill(language: Language, pattern: &str, with: &[&str]) -> String {
    let mut pieces = say(language, pattern).split("{}");
    let mut filled = pieces.next().unwrap_or("").to_owned();
    for (piece, with) in pieces.zip(with) {
        filled.push_str(with);
        filled.push_str(piece);
    }
    filled
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::privacy::inventory::{
        Category, ELSEWHERE, KEY_TABLES, Kept, Limit, Of, PARTIES, Purpose, Source, TABLES,
    };
    use crate::privacy::{authorities, looking, notice, recipients};

    fn end(kept: Kept, all: &mut BTreeSet<&'static str>) {
        match kept {
            Kept::With(what) => drop(all.insert(what)),
            Kept::For { after, .. } => drop(all.insert(after)),
            Kept::Until(limits) => all.extend(limits.iter().map(|Limit { after, .. }| *after)),
            Kept::UntilDeleted | Kept::Chosen | Kept::Account | Kept::Books | Kept::Run => {}
        }
    }

    /// Everything that the inventory says to people.
    fn everything() -> BTreeSet<&'static str> {
        let mut all = BTreeSet::new();
        let tables = TABLES.iter().chain(KEY_TABLES);
        for table in tables.filter(|table| table.of != Of::Nobody) {
            all.insert(table.row);
            end(table.kept, &mut all);
            for (_, datum) in table.data() {
                all.insert(datum.what);
            }
        }
        for spot in ELSEWHERE {
            all.insert(spot.datum.what);
            end(spot.kept, &mut all);
        }
        for purpose in Purpose::ALL {
            all.extend([purpose.words(), purpose.basis().words(), purpose.instead()]);
            if let Some(citation) = purpose.citation() {
                all.extend([citation.law, citation.article, citation.asks]);
            }
            if let Some(balance) = purpose.balance() {
                all.extend([balance.interest, balance.outweighs]);
            }
        }
        let sources = [
            Source::Person,
            Source::Use,
            Source::Program,
            Source::Operator,
        ];
        all.extend(sources.map(Source::words));
        all.extend(Category::ALL.map(Category::words));
        all.extend(Category::ALL.map(Category::means));
        for (word, means) in PARTIES {
            all.extend([word, means]);
        }
        all.extend(domain::role::Role::ALL.map(looking::role_in_words));
        for declared in recipients::Declared::all() {
            all.extend([declared.who, declared.position, declared.task]);
        }
        all.extend(authorities::all().iter().map(|one| one.land.as_str()));
        all
    }

    #[test]
    fn promise_x_09_whatever_the_inventory_says_is_said_in_german() {
        let missing: Vec<String> = everything()
            .into_iter()
            .filter(|words| known(Language::German, words).is_none())
            .map(|words| format!("{words:?} = \"\""))
            .collect();
        assert!(
            missing.is_empty(),
            "say these in German, in crates/studio/texts/de-kept.toml, or where their likes are:\n{}",
            missing.join("\n")
        );
    }

    #[test]
    fn promise_x_09_german_has_the_blanks_and_the_numbers_of_the_english() {
        for (english, german) in &*GERMAN {
            let blanks = |text: &str| text.matches("{}").count();
            assert_eq!(blanks(english), blanks(german), "{english}");
            let numbers = |text: &str| -> BTreeSet<String> {
                let all = text.split(|c: char| !c.is_ascii_digit());
                all.filter(|n| !n.is_empty()).map(str::to_owned).collect()
            };
            assert_eq!(numbers(english), numbers(german), "{english}");
            let edges = |text: &str| (text.starts_with('\n'), text.ends_with('\n'));
            assert_eq!(edges(english), edges(german), "{english}");
            assert!(!german.trim().is_empty(), "{english}");
        }
    }

    /// The same chapters, with the same data, ends and recipients, and nothing in one that the other has not.
    #[test]
    fn promise_x_09_the_notice_tells_the_same_facts_in_each_language() {
        let register = notice::tests::usual();
        let [english, german] = Language::ALL.map(|language| notice::text(language, &register));
        let facts = |language: Language| {
            let one = |chapter: &notice::Chapter| {
                let names: Vec<&str> = chapter.data.iter().map(|(name, _)| *name).collect();
                let sources = chapter.sources().len();
                (chapter.place, names, chapter.purposes, sources)
            };
            let all = notice::chapters(language);
            all.iter().map(one).collect::<Vec<_>>()
        };
        assert_eq!(facts(Language::English), facts(Language::German));
        let entries = recipients::entries(&register);
        for entry in &entries {
            let lines = |language| entry.lines(language).len();
            assert_eq!(lines(Language::English), lines(Language::German));
            assert!(german.contains(say(Language::German, entry.declared.who)));
        }
        // Line by line the two say as much, with the same numbers and addresses.
        let lines = |text: &str| -> Vec<(bool, usize, Vec<String>)> {
            let numbers = |line: &str| {
                let all = line.split(|c: char| !c.is_ascii_digit());
                let mut all: Vec<String> =
                    all.filter(|n| !n.is_empty()).map(str::to_owned).collect();
                all.sort_unstable();
                all
            };
            let one = |line: &str| {
                (
                    line.starts_with(' '),
                    line.matches("https://").count(),
                    numbers(line),
                )
            };
            text.lines().map(one).collect()
        };
        let (english, german) = (lines(&english), lines(&german));
        assert_eq!(english.len(), german.len());
        for (number, (one, other)) in english.iter().zip(&german).enumerate() {
            assert_eq!(one, other, "line {}", number + 1);
        }
    }

    #[test]
    fn no_text_stands_twice() {
        let mut seen = BTreeSet::new();
        for file in FILES {
            let read: HashMap<String, String> = toml::from_str(file).expect("reads");
            for words in read.into_keys() {
                assert!(seen.insert(words.clone()), "{words}");
            }
        }
    }
}
