//! The inventory told to people: what is kept of them, where it comes from, why, on which legal
//! basis, until when, and who else gets it. Nothing is said here that is not declared there.

mod rules;

pub(super) use rules::purpose_text;

use std::collections::BTreeMap;

use domain::language::Language;
use domain::recipient::Register;
use serde_json::{Value, json};

use super::export::csv;
use super::inventory::{
    self, Citation, Datum, ELSEWHERE, Erased, Holds, KEY_TABLES, Kept, Medium, Of, Purpose, Source,
    TABLES,
};
use super::wording::{fill, say};
use super::{recipients, retention};
use crate::accounts::idle;
use crate::letters;

/// One thing that is kept, such as an order, with everything about it.
#[derive(Clone, Debug)]
pub struct Chapter {
    /// In which its words are.
    pub language: Language,
    pub heading: String,
    /// Where it is kept, for who looks after it.
    pub place: &'static str,
    pub data: Vec<(&'static str, Datum)>,
    pub purposes: &'static [Purpose],
    pub kept: Kept,
    /// What is done with it when the account is erased; absent outside the database.
    pub erased: Option<Erased>,
}

impl Chapter {
    /// `your e-mail address, …` of one source.
    #[must_use]
    pub fn from(&self, source: Source) -> Option<String> {
        let words: Vec<&str> = self
            .data
            .iter()
            .filter(|(_, datum)| datum.source == source)
            .map(|(_, datum)| datum.what)
            .collect();
        (!words.is_empty()).then(|| words.join("; "))
    }

    /// What of it serves a purpose, where it has several: `your e-mail address; …`.
    #[must_use]
    pub fn serving(&self, purpose: Purpose) -> Option<String> {
        if self.purposes.len() < 2 {
            return None;
        }
        let serves = |column| inventory::of_column(self.place, column);
        let words: Vec<&str> = self
            .data
            .iter()
            .filter(|(name, _)| serves(name).is_some_and(|all| all.contains(&purpose)))
            .map(|(_, datum)| datum.what)
            .collect();
        // Files, cookies and the like serve all of theirs whole.
        (!words.is_empty()).then(|| words.join("; "))
    }

    /// Sources with what comes from them.
    #[must_use]
    pub fn sources(&self) -> Vec<(&'static str, String)> {
        let all = [
            Source::Person,
            Source::Use,
            Source::Program,
            Source::Operator,
        ];
        all.into_iter()
            .filter_map(|source| Some((say(self.language, source.words()), self.from(source)?)))
            .collect()
    }
}

/// Everything that is kept of a person, in the order of the inventory.
#[must_use]
pub fn chapters(language: Language) -> Vec<Chapter> {
    let told = |(name, datum): (&'static str, Datum)| {
        let what = say(language, datum.what);
        (name, Datum { what, ..datum })
    };
    let tables = TABLES
        .iter()
        .chain(KEY_TABLES)
        .filter(|table| table.of != Of::Nobody);
    let mut chapters: Vec<Chapter> = tables
        .map(|table| Chapter {
            language,
            heading: say(language, table.row).to_owned(),
            place: table.name,
            data: table.data().map(told).collect(),
            purposes: table.purposes,
            kept: table.kept,
            erased: Some(table.erased),
        })
        .collect();
    // What belongs together stands together: the fields of the log, the words of letters.
    let mut media: BTreeMap<(u8, String, &[Purpose]), Chapter> = BTreeMap::new();
    for spot in ELSEWHERE {
        let (rank, heading, place) = match spot.medium {
            Medium::Files => (0, "Files", "files"),
            Medium::Cookie => (1, "Cookies", "cookies"),
            Medium::Letter => (2, "Letters by e-mail", "letters"),
            Medium::Log => (3, "The log", "log"),
            Medium::Memory => (4, "The program's memory", "memory"),
        };
        let kept = kept_in_words(Language::English, spot.kept);
        let chapter = media
            .entry((rank, kept, spot.purposes))
            .or_insert_with(|| Chapter {
                language,
                heading: say(language, heading).to_owned(),
                place,
                data: Vec::new(),
                purposes: spot.purposes,
                kept: spot.kept,
                erased: None,
            });
        chapter.data.push(told((spot.name, spot.datum)));
    }
    chapters.extend(media.into_values());
    chapters
}

/// `for 90 days after you signed in`
#[must_use]
pub fn kept_in_words(language: Language, kept: Kept) -> String {
    let say = |words| say(language, words).to_owned();
    let fill = |pattern, with: &[&str]| fill(language, pattern, with);
    match kept {
        Kept::UntilDeleted => say("until you delete it"),
        Kept::Chosen => say("until you delete it, or until the time is over that you chose for it"),
        Kept::Account => fill(
            "as long as you have the account, which ends when it was not used for {}",
            &[&span(language, idle::ENDS_AFTER_MS)],
        ),
        Kept::With(what) => fill("as long as {}", &[&say(what)]),
        Kept::For { ms, after } => fill("for {} after {}", &[&span(language, ms), &say(after)]),
        Kept::Until(limits) => {
            let each: Vec<String> = limits
                .iter()
                .map(|limit| match limit.ms {
                    0 => fill("until {}", &[&say(limit.after)]),
                    ms => fill("for {} after {}", &[&span(language, ms), &say(limit.after)]),
                })
                .collect();
            let first = match limits.len() {
                0 | 1 => String::new(),
                _ => say(", whichever is earlier"),
            };
            each.join(&say(", or ")) + &first
        }
        Kept::Books => say("as long as the books are kept; they hold no words and no pictures"),
        Kept::Run => say("until the program is restarted, in memory alone"),
    }
}

/// `90 days`
pub(super) fn span(language: Language, ms: i64) -> String {
    const MINUTE: i64 = 60_000;
    const HOUR: i64 = 60 * MINUTE;
    const DAY: i64 = 24 * HOUR;
    // As many days as so many years have at most, beginning at any of them.
    let years = ms / DAY / 365;
    let (n, one, many) = match ms {
        DAY.. if years > 1 && ms == (years * 1_461 + 3) / 4 * DAY => (years, "{} year", "{} years"),
        DAY.. if ms % DAY == 0 => (ms / DAY, "{} day", "{} days"),
        HOUR.. if ms % HOUR == 0 => (ms / HOUR, "{} hour", "{} hours"),
        _ => (ms.div_euclid(MINUTE).max(1), "{} minute", "{} minutes"),
    };
    let pattern = if n == 1 { one } else { many };
    fill(language, pattern, &[&n.to_string()])
}

#[must_use]
pub const fn erased_in_words(erased: Erased) -> &'static str {
    match erased {
        Erased::Deleted => "deleted",
        Erased::Severed(_) => {
            "kept without anything that leads to the person, since the books must add up and the log must stay whole"
        }
        Erased::Owed(_) => "kept without your name, since a law wants it kept",
        Erased::Proof => "kept, since it proves the erasure; it says nothing about the person",
        Erased::Afterwards => "deleted when the erasure is over",
        Erased::Untouched => "nobody's",
    }
}

/// The notice as plain text, for `less` and for the printer.
#[must_use]
pub fn text(language: Language, register: &Register) -> String {
    let fill = |pattern, with: &[&str]| fill(language, pattern, with);
    let mut text = fill(
        "WHAT THIS SERVICE KEEPS OF YOU\n\nMade from the same declaration as the program that keeps it.\n",
        &[],
    );
    for chapter in chapters(language) {
        text += &format!("\n{}\n", chapter.heading);
        for (source, data) in chapter.sources() {
            text += &fill("  from {}: {}\n", &[source, &data]);
        }
        for purpose in chapter.purposes {
            text += &rules::purpose_text(language, *purpose);
            if let Some(data) = chapter.serving(*purpose) {
                text += &format!(": {data}");
            }
            text += "\n";
        }
        text += &fill("  kept {}\n", &[&kept_in_words(language, chapter.kept)]);
    }
    text + &recipients::text(language, register)
        + &rules::by_right_text(language)
        + &rules::obliged_text(language)
        + &rules::readers_text(language)
        + &rules::weighed_text(language)
        + &rules::authorities_text(language)
}

/// Every entry of the inventory, for programs.
#[must_use]
pub fn inventory_json() -> Value {
    let purposes = |purposes: &[Purpose]| -> Vec<Value> {
        purposes
            .iter()
            .map(|purpose| json!({ "purpose": purpose.words(), "legal_basis": purpose.basis().words() }))
            .collect()
    };
    let entries: Vec<Value> = chapters(Language::English)
        .iter()
        .flat_map(|chapter| {
            chapter.data.iter().map(|(name, datum)| {
                json!({
                    "place": format!("{}.{name}", chapter.place),
                    "what": datum.what,
                    "category": datum.category.key(),
                    "source": datum.source.words(),
                    "purposes": purposes(
                        inventory::of_column(chapter.place, name).unwrap_or(chapter.purposes),
                    ),
                    "kept": kept_in_words(Language::English, chapter.kept),
                    "on_erasure": chapter.erased.map(erased_in_words),
                })
            })
        })
        .collect();
    let limits: Vec<Value> = retention::limits()
        .map(|(table, limit)| {
            json!({
                "table": table,
                "column": limit.column,
                "milliseconds": limit.ms,
                "is_of_somebody": is_of_somebody(table),
            })
        })
        .collect();
    let columns: Vec<Value> = TABLES
        .iter()
        .chain(KEY_TABLES)
        .flat_map(|table| table.columns.iter().map(move |column| (table.name, column)))
        .map(|(table, column)| {
            let is_about_somebody = matches!(column.holds, Holds::Datum(_));
            json!({
                "table": table,
                "column": column.name,
                "is_about_somebody": is_about_somebody,
                "stored": column.stored.in_words(),
            })
        })
        .collect();
    let letters = letters::registry_json();
    json!({ "entries": entries, "limits": limits, "columns": columns, "letters": letters })
}

fn is_of_somebody(table: &str) -> bool {
    let mut known = TABLES.iter().filter(|one| one.of != Of::Nobody);
    known.any(|one| one.name == table)
}

/// The same in the Data Privacy Vocabulary (W3C, DPV 2), as JSON-LD.
#[must_use]
pub fn json_ld(register: &Register) -> Value {
    let mut handlings: Vec<Value> = chapters(Language::English)
        .iter()
        .map(|chapter| {
            let mut data: Vec<&str> = chapter
                .data
                .iter()
                .map(|(_, datum)| datum.category.dpv())
                .collect();
            data.sort_unstable();
            data.dedup();
            let ids = |names: Vec<&str>| -> Vec<Value> {
                names
                    .into_iter()
                    .map(|name| json!({ "@id": name }))
                    .collect()
            };
            let mut bases: Vec<&str> = chapter
                .purposes
                .iter()
                .map(|purpose| purpose.basis().dpv())
                .collect();
            bases.dedup();
            let mut purposes: Vec<&str> = chapter
                .purposes
                .iter()
                .map(|purpose| purpose.dpv())
                .collect();
            purposes.dedup();
            json!({
                "@type": "dpv:PersonalDataHandling",
                "dct:title": chapter.heading,
                "dpv:hasPersonalData": ids(data),
                "dpv:hasPurpose": ids(purposes),
                "dpv:hasLegalBasis": ids(bases),
                "dpv:hasStorageCondition": {
                    "@type": "dpv:StorageDuration",
                    "dct:description": kept_in_words(Language::English, chapter.kept),
                },
            })
        })
        .collect();
    handlings.extend(recipients::json_ld(register));
    json!({
        "@context": {
            "dpv": "https://w3id.org/dpv#",
            "pd": "https://w3id.org/dpv/pd#",
            "eu-gdpr": "https://w3id.org/dpv/legal/eu/gdpr#",
            "dct": "http://purl.org/dc/terms/",
        },
        "@graph": handlings,
    })
}

/// The record of processing activities (Art. 30 GDPR), purpose by purpose.
#[must_use]
pub fn record(register: &Register) -> Vec<Activity> {
    let chapters = chapters(Language::English);
    let activity = |purpose: Purpose| {
        let concerned: Vec<&Chapter> = chapters
            .iter()
            .filter(|chapter| chapter.purposes.contains(&purpose))
            .collect();
        let mut categories: Vec<&'static str> = concerned
            .iter()
            .flat_map(|chapter| &chapter.data)
            .map(|(_, datum)| datum.category.key())
            .collect();
        categories.sort_unstable();
        categories.dedup();
        let limits = concerned.iter().map(|chapter| {
            (
                chapter.heading.clone(),
                kept_in_words(Language::English, chapter.kept),
            )
        });
        Activity {
            purpose,
            categories,
            limits: limits.collect(),
            recipients: recipients::of_purpose(register, purpose),
        }
    };
    Purpose::ALL.map(activity).into()
}

/// One processing activity.
#[derive(Clone, Debug)]
pub struct Activity {
    pub purpose: Purpose,
    /// Fideslang's keys.
    pub categories: Vec<&'static str>,
    /// What is kept, and until when.
    pub limits: Vec<(String, String)>,
    /// Who gets something of it; nobody, where that is empty.
    pub recipients: Vec<String>,
}

impl Activity {
    #[must_use]
    pub fn recipients_in_words(&self) -> String {
        match &self.recipients[..] {
            [] => "nobody".to_owned(),
            some => some.join("; "),
        }
    }
}

#[must_use]
pub fn record_text(register: &Register) -> String {
    let mut text = String::from(
        "RECORD OF PROCESSING ACTIVITIES, ART. 30 GDPR\n\nData subjects: the people who use this service.\n",
    );
    for activity in record(register) {
        text += &format!("\nTo {}\n", activity.purpose.words());
        text += &format!("  legal basis: {}\n", activity.purpose.basis().words());
        if let Some(citation) = activity.purpose.citation() {
            let Citation { law, article, asks } = citation;
            text += &format!("  obliged by: {law}, {article}: {asks}\n");
        }
        if let Some(balance) = activity.purpose.balance() {
            text += &format!("  weighed: {} {}\n", balance.interest, balance.outweighs);
        }
        text += &format!("  categories: {}\n", activity.categories.join(", "));
        text += &format!("  recipients: {}\n", activity.recipients_in_words());
        for (what, kept) in activity.limits {
            text += &format!("  {what}: kept {kept}\n");
        }
    }
    text + &recipients::text(Language::English, register)
}

/// For spreadsheets (RFC 4180): a line for each thing that an activity uses.
#[must_use]
pub fn record_csv(register: &Register) -> String {
    let head = [
        "purpose",
        "legal_basis",
        "categories",
        "what",
        "kept",
        "recipients",
    ];
    let mut text = csv::line(head.into_iter().map(csv::Value::Words));
    for activity in record(register) {
        let recipients = activity.recipients_in_words();
        let categories = activity.categories.join(" ");
        for (what, kept) in &activity.limits {
            let purpose = activity.purpose;
            let values = [
                purpose.words(),
                purpose.basis().words(),
                &categories,
                what,
                kept,
                &recipients,
            ];
            text += &csv::line(values.into_iter().map(csv::Value::Words));
        }
    }
    text
}

#[must_use]
pub fn record_json(register: &Register) -> Value {
    let activities: Vec<Value> = record(register)
        .into_iter()
        .map(|activity| {
            let limits: Vec<Value> = activity
                .limits
                .into_iter()
                .map(|(what, kept)| json!({ "what": what, "kept": kept }))
                .collect();
            json!({
                "purpose": activity.purpose.words(),
                "legal_basis": activity.purpose.basis().words(),
                "obliged_by": activity.purpose.citation().map(|citation| {
                    json!({
                        "law": citation.law,
                        "article": citation.article,
                        "asks": citation.asks,
                    })
                }),
                "read_by": activity.purpose.readers().iter().map(|role| role.name()).collect::<Vec<_>>(),
                "weighed": activity.purpose.balance().map(|balance| {
                    json!({ "interest": balance.interest, "outweighs": balance.outweighs })
                }),
                "categories": activity.categories,
                "time_limits": limits,
                "recipients": activity.recipients,
            })
        })
        .collect();
    json!({
        "data_subjects": "the people who use this service",
        "activities": activities,
        "recipients": recipients::json(register),
    })
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Of a house in which nothing was set.
    pub(crate) fn usual() -> Register {
        recipients::register(&recipients::Settings::default()).expect("nothing to refuse")
    }

    #[test]
    fn lengths_are_said_in_the_unit_that_fits() {
        for (ms, words) in [
            (60_000, "1 minute"),
            (5 * 60_000, "5 minutes"),
            (86_400_000, "1 day"),
            (3 * 3_600_000, "3 hours"),
            (90 * 86_400_000, "90 days"),
        ] {
            assert_eq!(span(Language::English, ms), words);
        }
    }

    #[test]
    fn promise_x_04_the_record_names_every_purpose_with_its_limits() {
        for chapter in chapters(Language::English) {
            assert!(!chapter.data.is_empty(), "{}", chapter.heading);
            assert!(!chapter.purposes.is_empty(), "{}", chapter.heading);
        }
        let register = usual();
        for activity in record(&register) {
            assert!(!activity.limits.is_empty(), "{:?}", activity.purpose);
            assert!(record_text(&register).contains(activity.purpose.words()));
        }
    }

    /// A change of what is kept is seen in the same commit as the code that keeps it.
    #[test]
    fn promise_gov_02_the_notice_in_docs_is_the_one_that_the_program_gives() {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/notice.txt");
        let written = std::fs::read_to_string(file).unwrap_or_default();
        assert!(
            written == text(Language::English, &usual()),
            "docs/notice.txt is another: pinhole privacy notice > docs/notice.txt"
        );
    }

    /// By which the sweep deletes, read here in another way than where the words are made.
    #[test]
    fn promise_gov_02_a_time_is_the_same_in_the_sweep_the_notice_and_the_record() {
        let register = usual();
        let (text, record) = (text(Language::English, &register), record_text(&register));
        let (csv, json) = (record_csv(&register), record_json(&register).to_string());
        let inventory = inventory_json();
        let mut seen = 0;
        let limits = retention::limits().filter(|(_, limit)| limit.ms > 0);
        for (table, limit) in limits.filter(|(table, _)| is_of_somebody(table)) {
            let hours = limit.ms / 3_600_000;
            let words = if hours == 3_653 * 24 {
                format!("for 10 years after {}", limit.after)
            } else if hours % 24 == 0 {
                format!("for {} days after {}", hours / 24, limit.after)
            } else {
                format!("for {hours} hours after {}", limit.after)
            };
            let words = words.replace("for 1 days", "for 1 day");
            for told in [&text, &record, &csv, &json] {
                assert!(told.contains(&words), "{table}: {words}");
            }
            let listed = inventory["limits"].as_array().into_iter().flatten();
            let same = |one: &&Value| one["table"] == table && one["column"] == limit.column;
            let listed = listed.filter(same).map(|one| one["milliseconds"].as_i64());
            assert_eq!(listed.collect::<Vec<_>>(), [Some(limit.ms)], "{table}");
            seen += 1;
        }
        assert!(seen > 5);
    }

    #[test]
    fn the_length_of_a_session_is_the_one_by_which_it_ends() {
        let days = crate::accounts::session::ABSOLUTE_END_MS / 86_400_000;
        assert!(
            text(Language::English, &usual())
                .contains(&format!("for {days} days after you signed in"))
        );
    }
}
