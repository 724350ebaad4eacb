//! Where something is sealed, and for what it is read there. Whoever seals names a place; whoever opens
//! names a reading, and there is none for a purpose that the inventory does not give to its place.

use std::fmt;

use super::KeyError;
use crate::privacy::inventory::{self, Purpose};

/// A column in which something is sealed, or the files of one kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    pub table: &'static str,
    pub column: &'static str,
    /// Of the shelf, where it is files.
    folder: Option<&'static str>,
}

impl Place {
    #[must_use]
    pub const fn new(table: &'static str, column: &'static str) -> Self {
        Self {
            table,
            column,
            folder: None,
        }
    }

    /// Files below a folder of the shelf.
    #[must_use]
    pub const fn files(table: &'static str, folder: &'static str) -> Self {
        Self {
            table,
            column: "file",
            folder: Some(folder),
        }
    }

    /// Whether the inventory lists a purpose for what stands here.
    #[must_use]
    pub const fn serves(self, purpose: Purpose) -> bool {
        let purposes = match self.folder {
            Some(folder) => inventory::of_files(folder),
            None => inventory::of_column(self.table, self.column),
        };
        match purposes {
            Some(purposes) => inventory::has(purposes, purpose),
            None => false,
        }
    }

    /// It is read for this. Stands in a `const` and nowhere else, so that a purpose which the inventory
    /// does not list for this place fails the build.
    #[must_use]
    pub const fn read_for(self, purpose: Purpose) -> Reading {
        assert!(
            self.serves(purpose),
            "the inventory does not list this purpose for this place"
        );
        Reading {
            place: self,
            purpose,
        }
    }

    /// The same for a place and a purpose that are not known before the program runs.
    pub fn reading(self, purpose: Purpose) -> Result<Reading, KeyError> {
        let place = self;
        match place.serves(purpose) {
            true => Ok(Reading { place, purpose }),
            false => Err(KeyError::Purpose { place, purpose }),
        }
    }

    /// Everything of a person is read to be handed out to them (Art. 15 and 20 GDPR).
    #[must_use]
    pub(crate) const fn to_hand_out(self) -> Reading {
        Reading {
            place: self,
            purpose: Purpose::Access,
        }
    }

    /// What an order names and two people agreed to is read to be handed out (Art. 6(1)(c) and (d) GDPR).
    #[must_use]
    pub(crate) const fn to_disclose(self) -> Reading {
        Reading {
            place: self,
            purpose: Purpose::Disclosure,
        }
    }

    /// Everything of a person is read to find what is to be forgotten (Art. 17 GDPR).
    #[must_use]
    pub(crate) const fn to_forget(self) -> Reading {
        Reading {
            place: self,
            purpose: Purpose::Erasure,
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.table, self.column)
    }
}

/// A place that may be read, and what for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reading {
    place: Place,
    purpose: Purpose,
}

impl Reading {
    #[must_use]
    pub const fn place(self) -> Place {
        self.place
    }

    #[must_use]
    pub const fn purpose(self) -> Purpose {
        self.purpose
    }
}

// No place turns into a reading by itself: where one did, it could not be told here which is meant, and
// the build would fail.
const _: fn() = || {
    struct Turned;
    trait Ambiguous<Which> {
        fn one() {}
    }
    impl<T: ?Sized> Ambiguous<()> for T {}
    impl<T: Into<Reading>> Ambiguous<Turned> for T {}
    <Place as Ambiguous<_>>::one();
    <Purpose as Ambiguous<_>>::one();
    <(Place, Purpose) as Ambiguous<_>>::one();
};

// What the inventory does not list, or does not know, no reading is made of.
const _: () = {
    assert!(Place::new("job", "prompt").serves(Purpose::Drawing));
    assert!(!Place::new("job", "prompt").serves(Purpose::Security));
    assert!(!Place::new("job", "prompt").serves(Purpose::Fairness));
    assert!(!Place::new("account", "password_hash").serves(Purpose::Mail));
    assert!(!Place::new("job", "shoe_size").serves(Purpose::Drawing));
    assert!(!Place::files("picture", "pictures").serves(Purpose::Security));
    assert!(!Place::files("picture", "elsewhere").serves(Purpose::Drawing));
};

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};
    use std::path::Path;
    use std::{fs, panic};

    use super::*;
    use crate::privacy::inventory::{BY_RIGHT, Column, ELSEWHERE, Medium, Stored, TABLES};
    use crate::privacy::notice;

    /// The sources of this crate, by path, without their tests and with single spaces.
    fn sources(folder: &Path, found: &mut BTreeMap<String, String>) {
        for entry in fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                sources(&path, found);
                continue;
            }
            let text = fs::read_to_string(&path).expect("text");
            let told = text.split("mod tests {").next().unwrap_or("");
            let code = told
                .lines()
                .filter(|line| !line.trim_start().starts_with("//"));
            let words = code.flat_map(str::split_whitespace);
            let name = path.strip_prefix(env!("CARGO_MANIFEST_DIR"));
            let name = name.expect("below").display().to_string();
            found.insert(name, words.collect::<Vec<_>>().join(" "));
        }
    }

    fn all_sources() -> BTreeMap<String, String> {
        let mut found = BTreeMap::new();
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        sources(&folder, &mut found);
        assert!(found.len() > 80);
        found
    }

    /// `const NAME: kind = value;`, each with its name.
    fn constants<'a>(source: &'a str, kind: &str) -> Vec<(&'a str, &'a str)> {
        let mark = format!(": {kind} = ");
        let mut found = Vec::new();
        for (at, _) in source.match_indices(&mark) {
            let name = source[..at].rsplit(' ').next().unwrap_or("");
            let value = &source[at + mark.len()..];
            let is_const = source[..at].ends_with(&format!("const {name}"));
            assert!(
                is_const,
                "{name} is no const: a wrong purpose would not fail the build"
            );
            found.push((name, value.split(';').next().unwrap_or("")));
        }
        found
    }

    /// A place of the shelf by its folder, of the database by table and column.
    fn place(value: &str) -> (String, String) {
        let arguments = value.split(['(', ')']).nth(1).unwrap_or("");
        let mut both = arguments.split(", ").map(|one| one.trim_matches('"'));
        let table = both.next().unwrap_or("").to_owned();
        let column = both.next().unwrap_or("").to_owned();
        match value.starts_with("Place::files") {
            true => (table, "file".to_owned()),
            false => (table, column),
        }
    }

    type Matrix = BTreeSet<(String, String, Purpose)>;

    /// Every reading of a purpose's own that stands in the code.
    fn matrix_of_the_code() -> Matrix {
        let mut matrix = Matrix::new();
        for (file, source) in all_sources() {
            let places: BTreeMap<&str, (String, String)> = constants(&source, "Place")
                .into_iter()
                .map(|(name, value)| (name, place(value)))
                .collect();
            let mut known = 0;
            for (name, value) in constants(&source, "Reading") {
                let Some((of, purpose)) = value.split_once(".read_for(Purpose::") else {
                    continue;
                };
                let purpose = purpose.trim_end_matches(')');
                let purpose = Purpose::ALL
                    .into_iter()
                    .find(|known| format!("{known:?}") == purpose);
                let (table, column) = places
                    .get(of)
                    .unwrap_or_else(|| panic!("{file}: {name} reads a place of another file"));
                let (table, column) = (table.clone(), column.clone());
                matrix.insert((table, column, purpose.expect("a purpose")));
                known += 1;
            }
            // What is written in another way would stand in no matrix, and be computed too late.
            let all = source.matches(".read_for(").count();
            assert_eq!(
                all, known,
                "{file}: a reading that is no constant of its own"
            );
        }
        matrix
    }

    /// The same as the inventory lists it, of everything that is sealed.
    fn matrix_of_the_inventory() -> Matrix {
        let mut matrix = Matrix::new();
        for table in TABLES {
            for column in table.columns {
                // The two that are sealed by the house's key, whoever they are of.
                let by_house = matches!(
                    (table.name, column.name),
                    ("erasure", "seal") | ("export_part", "sealed")
                );
                let is_sealed = !matches!(column.stored, Stored::Plain | Stored::Blind(_));
                if is_sealed || by_house {
                    for purpose in table.purposes_of(column.name).expect("a column") {
                        let (table, column) = (table.name.to_owned(), column.name.to_owned());
                        matrix.insert((table, column, *purpose));
                    }
                }
            }
        }
        for spot in ELSEWHERE.iter().filter(|spot| spot.medium == Medium::Files) {
            let table = spot.name.trim_end_matches('s').to_owned();
            for purpose in spot.purposes {
                matrix.insert((table.clone(), "file".to_owned(), *purpose));
            }
        }
        matrix
    }

    #[test]
    fn promise_pur_01_the_purposes_in_the_notice_are_those_that_the_code_reads_for() {
        let (code, declared) = (matrix_of_the_code(), matrix_of_the_inventory());
        let unread: Vec<_> = declared.difference(&code).collect();
        assert!(unread.is_empty(), "listed, and read by nobody: {unread:?}");
        let unlisted: Vec<_> = code.difference(&declared).collect();
        assert!(unlisted.is_empty(), "read, and not listed: {unlisted:?}");
        // And what is printed is what is declared.
        let text = notice::text(domain::language::Language::English, &notice::tests::usual());
        for table in TABLES.iter().filter(|table| !table.purposes.is_empty()) {
            let chapter = text.split("\n\n").find(|chapter| {
                let mut lines = chapter.trim_start().lines();
                lines.next() == Some(table.row)
            });
            let chapter = chapter.unwrap_or_else(|| panic!("no chapter on {}", table.name));
            for purpose in Purpose::ALL {
                let line = chapter
                    .lines()
                    .find(|line| line.starts_with(&format!("  to {} (", purpose.words())));
                let is_listed = table.purposes.contains(&purpose);
                assert_eq!(line.is_some(), is_listed, "{} to {purpose:?}", table.name);
                let Some(line) = line.filter(|_| table.purposes.len() > 1) else {
                    continue;
                };
                let told = line.split_once("): ").expect("what it is").1;
                let told: BTreeSet<&str> = told.split("; ").collect();
                for (name, datum) in table.data() {
                    let purposes = table.purposes_of(name).expect("a column");
                    let parts = datum.what.split("; ").all(|part| told.contains(part));
                    let is_served = purposes.contains(&purpose);
                    assert_eq!(parts, is_served, "{}.{name} to {purpose:?}", table.name);
                }
            }
        }
        for purpose in BY_RIGHT {
            let everything = text.split("EVERYTHING ABOVE").nth(1).expect("a section");
            assert!(everything.contains(purpose.words()), "{purpose:?}");
        }
    }

    /// What is read by a person's right can be read everywhere, so it is said here where that is done.
    #[test]
    fn promise_pur_01_only_the_rights_of_a_person_read_everything() {
        let files = |call: &str| -> Vec<String> {
            let mut files = all_sources();
            files.retain(|name, source| source.contains(call) && !name.ends_with("keys/place.rs"));
            files.into_keys().collect()
        };
        assert_eq!(files("to_disclose"), ["src/privacy/disclosures/package.rs"]);
        let handing = files("to_hand_out");
        let forgetting = files("to_forget");
        assert_eq!(
            handing,
            [
                "src/accounts/portrait.rs",
                "src/pictures.rs",
                "src/privacy/export/tables.rs"
            ]
        );
        assert_eq!(
            forgetting,
            [
                "src/accounts/proof.rs",
                "src/letters.rs",
                "src/privacy/erasure/marks.rs",
                "src/privacy/requests/row.rs",
                "src/support/asking.rs",
            ]
        );
    }

    #[test]
    fn promise_own_02_storage_is_read_to_deliver_and_else_only_by_consent() {
        let pictures = Place::files("picture", "pictures");
        for purpose in Purpose::ALL {
            let refused = pictures.reading(purpose);
            match purpose {
                // With a proof of consent for the very picture: see `pictures::agreed`.
                Purpose::Drawing | Purpose::Examples | Purpose::TrainingPictures => {
                    assert!(refused.is_ok());
                }
                _ => {
                    let is_refused = matches!(refused, Err(KeyError::Purpose { .. }));
                    assert!(is_refused, "pictures are read for {purpose:?}");
                }
            }
        }
    }

    /// The build computes the constants, so what panics here fails the build there.
    #[test]
    fn promise_pur_01_a_reading_for_a_purpose_that_is_not_listed_fails_the_build() {
        let tried = |place: Place, purpose| panic::catch_unwind(move || place.read_for(purpose));
        for table in TABLES {
            let is_sealed =
                |column: &&Column| !matches!(column.stored, Stored::Plain | Stored::Blind(_));
            for column in table.columns.iter().filter(is_sealed) {
                for purpose in Purpose::ALL {
                    let place = Place::new(table.name, column.name);
                    let listed = table.purposes_of(column.name).expect("a column");
                    let made = tried(place, purpose).is_ok();
                    assert_eq!(made, listed.contains(&purpose), "{place} to {purpose:?}");
                    assert_eq!(
                        place.reading(purpose).is_ok(),
                        made,
                        "{place} to {purpose:?}"
                    );
                }
            }
        }
    }
}
