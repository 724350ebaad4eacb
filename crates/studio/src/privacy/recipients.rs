//! Everybody to whom something can leave the house: what they do, what they get and why, from the
//! inventory; and what the operator states of them. The notice, the record, the assessment, archives and
//! receipts name them from here, and [`outside`] connects to nobody else.

mod stated;

use db::on;
use domain::ids::PersonId;
use domain::language::Language;
use domain::recipient::{Recipient, Register, Role, Stated};
use serde_json::{Value, json};

pub use stated::{BadRegister, Settings, register};

use super::inventory::{Category, Datum, ELSEWHERE, Medium, Purpose, TABLES};
use super::notice::{purpose_text, span};
use super::wording::{fill, say};
use crate::letters;
use crate::{Failure, Studio};

/// Shown where only the operator could say something, and has not.
pub const NOT_STATED: &str = "not stated by the operator";

/// What the program knows of a recipient, whoever it is in this house.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Declared {
    pub role: Role,
    /// As a heading: `The mail server`.
    pub who: &'static str,
    /// In the words of the GDPR.
    pub position: &'static str,
    /// What it is used for, after "to".
    pub task: &'static str,
    pub gets: Gets,
}

/// What somebody gets, by where the inventory says that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gets {
    /// Whatever a letter tells.
    Letters,
    /// Every row of every table.
    Rows,
    /// Nothing of anybody.
    Nothing,
}

#[must_use]
pub const fn declared(role: Role) -> Declared {
    match role {
        Role::Mail => Declared {
            role,
            who: "The mail server",
            position: "a processor, Art. 28 GDPR",
            task: "deliver letters",
            gets: Gets::Letters,
        },
        Role::Database => Declared {
            role,
            who: "The database server",
            position: "a processor, Art. 28 GDPR, where it is not the operator's own",
            task: "keep the rows",
            gets: Gets::Rows,
        },
        Role::Hub => Declared {
            role,
            who: "The model hub",
            position: "no recipient of personal data",
            task: "fetch the weights of models, when the operator asks for one",
            gets: Gets::Nothing,
        },
        Role::Witness => Declared {
            role,
            who: "A witness of the log",
            position: "no recipient of personal data",
            task: "sign that the log of this house only grew; it is shown the log's size and root",
            gets: Gets::Nothing,
        },
    }
}

impl Declared {
    pub fn all() -> impl Iterator<Item = Self> {
        Role::ALL.into_iter().map(declared)
    }

    /// Everything of people that it gets, with why.
    fn data(self) -> Vec<(&'static str, Datum, &'static [Purpose])> {
        match self.gets {
            Gets::Letters => ELSEWHERE
                .iter()
                .filter(|spot| spot.medium == Medium::Letter)
                .map(|spot| (spot.name, spot.datum, spot.purposes))
                .collect(),
            Gets::Rows => TABLES
                .iter()
                .flat_map(|table| {
                    let data = table.data();
                    data.map(|(name, datum)| (name, datum, table.purposes))
                })
                .collect(),
            Gets::Nothing => Vec::new(),
        }
    }

    #[must_use]
    pub fn purposes(self) -> Vec<Purpose> {
        let mut purposes: Vec<Purpose> = self
            .data()
            .into_iter()
            .flat_map(|(.., purposes)| purposes.iter().copied())
            .collect();
        purposes.sort_unstable();
        purposes.dedup();
        purposes
    }

    #[must_use]
    pub fn categories(self) -> Vec<Category> {
        let data = self.data().into_iter();
        let mut categories: Vec<Category> = data.map(|(_, datum, _)| datum.category).collect();
        categories.sort_unstable();
        categories.dedup();
        categories
    }

    /// The names in the inventory of what it gets.
    fn fields(self) -> Vec<&'static str> {
        match self.gets {
            Gets::Letters => self.data().into_iter().map(|(name, ..)| name).collect(),
            Gets::Rows | Gets::Nothing => Vec::new(),
        }
    }

    /// What it gets, in words.
    #[must_use]
    pub fn gets_in_words(self, language: Language) -> String {
        let say = |words| say(language, words);
        match self.gets {
            Gets::Letters => {
                let data = self.data().into_iter();
                let words: Vec<&str> = data.map(|(_, datum, _)| say(datum.what)).collect();
                words.join("; ")
            }
            Gets::Rows => {
                say("every row; what tells of you is encrypted before it is sent there").to_owned()
            }
            Gets::Nothing => say("nothing of anybody").to_owned(),
        }
    }

    /// Whether something of this table goes there.
    fn gets_table(self, table: &str) -> bool {
        match self.gets {
            Gets::Letters => table == "letter",
            Gets::Rows => true,
            Gets::Nothing => false,
        }
    }
}

/// A recipient as it is told of: what is declared, and who that is in this house.
#[derive(Clone, Copy, Debug)]
pub struct Entry<'a> {
    pub declared: Declared,
    /// `None` where the house has nobody for it, and nothing goes there.
    pub recipient: Option<&'a Recipient>,
}

#[must_use]
pub fn entries(register: &Register) -> Vec<Entry<'_>> {
    let mut entries = Vec::new();
    for declared in Declared::all() {
        let before = entries.len();
        entries.extend(register.all(declared.role).map(|recipient| Entry {
            declared,
            recipient: Some(recipient),
        }));
        if entries.len() == before {
            entries.push(Entry {
                declared,
                recipient: None,
            });
        }
    }
    entries
}

impl Entry<'_> {
    /// What is known of it, each with its heading; in the order in which it is read.
    #[must_use]
    pub fn lines(&self, language: Language) -> Vec<(&'static str, String)> {
        let said = |words: &'static str| say(language, words).to_owned();
        let mut lines = vec![
            ("is", said(self.declared.position)),
            ("is there to", said(self.declared.task)),
            ("gets", self.declared.gets_in_words(language)),
        ];
        match self.recipient {
            None => lines.push((
                "in this house",
                said("there is none, and nothing goes there"),
            )),
            Some(recipient) => lines.extend(self.stated(language, recipient)),
        }
        let heading = |(heading, says)| (say(language, heading), says);
        lines.into_iter().map(heading).collect()
    }

    /// What the operator said of it.
    fn stated(&self, language: Language, recipient: &Recipient) -> Vec<(&'static str, String)> {
        let fill = |pattern, with: &[&str]| fill(language, pattern, with);
        let stated = recipient.stated();
        let not_stated = say(language, NOT_STATED);
        let or_not = |stated: Option<String>| stated.unwrap_or_else(|| not_stated.to_owned());
        let host = recipient.host();
        let mut lines = vec![(
            "in this house",
            match &stated.name {
                Some(name) => format!("{name}, {host}"),
                None => fill("{}; its name is {}", &[host, not_stated]),
            },
        )];
        if self.declared.gets == Gets::Nothing {
            return lines;
        }
        let contract = stated.contract.as_ref().map(|day| {
            let (day, hash) = (day.to_string(), stated.contract_sha256.as_ref());
            hash.map_or_else(
                || fill("of {}", &[&day]),
                |hash| fill("of {}, SHA-256 {}", &[&day, &hash.to_string()]),
            )
        });
        let transfer = stated.transfer.map(|tool| {
            let (tool, since) = (say(language, tool.words()), stated.transfer_since.as_ref());
            since.map_or_else(
                || tool.to_owned(),
                |day| fill("{}, since {}", &[tool, &day.to_string()]),
            )
        });
        lines.extend([
            (
                "country",
                or_not(stated.country.as_ref().map(ToString::to_string)),
            ),
            ("contract", or_not(contract)),
            ("goes there", or_not(transfer)),
            ("keeps it", or_not(stated.keeps.clone())),
            ("its own notice", or_not(stated.notice.clone())),
        ]);
        lines
    }

    #[must_use]
    pub fn json(&self) -> Value {
        let stated = self.recipient.map(Recipient::stated);
        let of = |value: fn(&Stated) -> Option<String>| stated.and_then(value);
        let purposes = self.declared.purposes().into_iter();
        let categories = self.declared.categories().into_iter();
        json!({
            "role": self.declared.role.name(),
            "who": self.declared.who,
            "position": self.declared.position,
            "task": self.declared.task,
            "gets": self.declared.gets_in_words(Language::English),
            "fields": self.declared.fields(),
            "categories": categories.map(Category::key).collect::<Vec<_>>(),
            "purposes": purposes.map(Purpose::words).collect::<Vec<_>>(),
            "is_used": self.recipient.is_some(),
            "host": self.recipient.map(Recipient::host),
            "hosts": stated.map(|stated| &stated.hosts),
            "name": of(|stated| stated.name.clone()),
            "country": of(|stated| stated.country.as_ref().map(ToString::to_string)),
            "contract": of(|stated| stated.contract.as_ref().map(ToString::to_string)),
            "contract_sha256": of(|stated| stated.contract_sha256.as_ref().map(ToString::to_string)),
            "transfer": of(|stated| stated.transfer.map(|tool| tool.name().to_owned())),
            "transfer_since": of(|stated| stated.transfer_since.as_ref().map(ToString::to_string)),
            "keeps": of(|stated| stated.keeps.clone()),
            "notice": of(|stated| stated.notice.clone()),
        })
    }

    /// In the Data Privacy Vocabulary (W3C, DPV 2).
    fn json_ld(&self) -> Value {
        let ids = |names: Vec<&str>| -> Vec<Value> {
            let names = names.into_iter();
            names.map(|name| json!({ "@id": name })).collect()
        };
        let categories = self.declared.categories().into_iter();
        let purposes = self.declared.purposes().into_iter();
        let stated = self
            .recipient
            .and_then(|recipient| recipient.stated().name.clone());
        json!({
            "@id": format!("urn:pinhole:recipient:{}", self.declared.role.name()),
            "@type": "dpv:DataProcessor",
            "dct:title": self.declared.who,
            "dct:description": self.declared.gets_in_words(Language::English),
            "dpv:hasName": stated,
            "dpv:hasPersonalData": ids(categories.map(Category::dpv).collect()),
            "dpv:hasPurpose": ids(purposes.map(Purpose::dpv).collect()),
        })
    }
}

/// Who gets something of people, for programs that read the notice.
pub(super) fn json_ld(register: &Register) -> Vec<Value> {
    let all = entries(register).into_iter();
    all.filter(|entry| entry.declared.gets != Gets::Nothing)
        .map(|entry| entry.json_ld())
        .collect()
}

#[must_use]
pub fn json(register: &Register) -> Value {
    let all: Vec<Value> = entries(register).iter().map(Entry::json).collect();
    Value::from(all)
}

#[must_use]
pub fn text(language: Language, register: &Register) -> String {
    let heading =
        "\nWHO ELSE GETS SOMETHING\n\nThe program can connect to these and to nobody else.\n";
    let mut text = say(language, heading).to_owned();
    for entry in entries(register) {
        text += &format!("\n{}\n", say(language, entry.declared.who));
        for (heading, says) in entry.lines(language) {
            text += &format!("  {heading}: {says}\n");
        }
        for purpose in entry.declared.purposes() {
            text += &format!("{}\n", purpose_text(language, purpose));
        }
    }
    text
}

/// Who of the register gets something for this purpose.
pub(super) fn of_purpose(register: &Register, purpose: Purpose) -> Vec<String> {
    entries(register)
        .into_iter()
        .filter(|entry| entry.declared.purposes().contains(&purpose))
        .filter_map(|entry| {
            let recipient = entry.recipient?;
            let name = recipient.stated().name.as_deref();
            let name = name.unwrap_or_else(|| recipient.host());
            Some(format!("{} ({name})", entry.declared.who))
        })
        .collect()
}

/// Who of the register gets something of a table, named for an archive.
pub(super) fn of_table(register: &Register, table: &str) -> Vec<Value> {
    entries(register)
        .into_iter()
        .filter(|entry| entry.recipient.is_some() && entry.declared.gets_table(table))
        .map(|entry| entry.json_ld())
        .collect()
}

/// A recipient that got something of one person.
#[derive(Clone, Debug)]
pub struct Used<'a> {
    pub entry: Entry<'a>,
    /// What became of it, as a sentence.
    pub says: String,
}

/// What is known of who got something of somebody: letters are counted for as long as their rows stay.
pub fn used(language: Language, register: &Register, letters: u64) -> Vec<Used<'_>> {
    let of = |entry: Entry<'_>| match entry.declared.gets {
        Gets::Letters => Some(match letters {
            1 => {
                "It was given {} letter to you in the last {}, besides any from before you had an account; of earlier ones nothing is kept here."
            }
            _ => {
                "It was given {} letters to you in the last {}, besides any from before you had an account; of earlier ones nothing is kept here."
            }
        }),
        Gets::Rows => Some("It holds your rows for as long as this house keeps them."),
        Gets::Nothing => None,
    };
    let span = span(language, letters::SENT_KEPT_MS);
    let letters = letters.to_string();
    let all = entries(register).into_iter();
    let used = all.filter(|entry| entry.recipient.is_some());
    used.filter_map(|entry| {
        let says = fill(language, of(entry)?, &[&letters, &span]);
        Some(Used { entry, says })
    })
    .collect()
}

impl Used<'_> {
    #[must_use]
    pub fn json(&self) -> Value {
        let mut entry = self.entry.json();
        if let Some(entry) = entry.as_object_mut() {
            entry.insert("got".to_owned(), json!(self.says));
        }
        entry
    }
}

/// Letters to somebody that the mail server was offered, as far as they are remembered. One that it
/// refused counts: it has seen the address.
pub async fn letters_offered(studio: &Studio, person: PersonId) -> Result<u64, Failure> {
    let mut tx = studio.db.read().await?;
    let letters: i64 = on!(tx, conn => {
        sqlx::query_scalar("SELECT COUNT(*) FROM letter WHERE person_id = $1 AND attempts > 0")
            .bind(person.to_string())
            .fetch_one(conn)
            .await
    })?;
    Ok(letters.unsigned_abs())
}

#[cfg(test)]
mod tests {
    use super::super::{assessment, notice};
    use super::*;

    fn stated(text: &str) -> Result<Register, BadRegister> {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("recipients.toml");
        std::fs::write(&file, text).expect("written");
        register(&Settings {
            stated: Some(file),
            mail: Some("smtps://user:secret@mail.example.org".to_owned()),
            ..Settings::default()
        })
    }

    #[test]
    fn promise_shr_01_the_register_says_what_is_stated_and_what_is_not() {
        let register = stated(
            r#"[mail]
            name = "Example Post"
            country = "DE"
            contract = "2026-01-31"
            transfer = "within-eea"
            "#,
        )
        .expect("reads");
        let text = text(Language::English, &register);
        for expected in [
            "Example Post, mail.example.org",
            "country: DE",
            "contract: of 2026-01-31",
        ] {
            assert!(text.contains(expected), "{expected}: {text}");
        }
        assert!(text.contains(&format!("keeps it: {NOT_STATED}")), "{text}");
        assert!(!text.contains("secret"), "a password is shown");
        // Every variable of every letter is told of, and nothing that the inventory has not.
        let mail = declared(Role::Mail);
        let letters = ELSEWHERE
            .iter()
            .filter(|spot| spot.medium == Medium::Letter);
        let names: Vec<&str> = letters.map(|spot| spot.name).collect();
        assert_eq!(mail.fields(), names);
        assert!(mail.purposes().contains(&Purpose::Mail));
        assert!(declared(Role::Hub).purposes().is_empty());
    }

    #[test]
    fn promise_shr_01_notice_record_and_assessment_name_the_recipients() {
        let named = "[mail]\nname = \"Example Post\"\n[database]\nname = \"Example Rows\"\n";
        let register = stated(named).expect("reads");
        let texts = [
            notice::text(Language::English, &register),
            notice::record_text(&register),
            notice::record_csv(&register),
            notice::record_json(&register).to_string(),
            notice::json_ld(&register).to_string(),
            assessment::text(&register),
            assessment::json(&register).to_string(),
        ];
        for text in texts {
            assert!(text.contains("Example Post"), "{text}");
            // Stated, and yet nothing goes there.
            assert!(!text.contains("Example Rows"), "{text}");
        }
        let of = |purpose| of_purpose(&register, purpose);
        assert_eq!(of(Purpose::Mail), ["The mail server (Example Post)"]);
        assert!(of(Purpose::Drawing).is_empty());
        // Whatever is no letter does not go to the mail server.
        assert_eq!(of_table(&register, "letter").len(), 1);
        assert!(of_table(&register, "picture").is_empty());
    }

    #[test]
    fn promise_trf_02_a_house_with_privacy_shield_does_not_open() {
        let refused = stated("[mail]\nname = \"Shielded\"\ntransfer = \"Privacy Shield\"\n");
        let says = refused.expect_err("refused").to_string();
        assert!(
            says.contains("line 3") && says.contains("C-311/18"),
            "{says}"
        );
        let undated = stated("[mail]\ntransfer = \"eu-us-data-privacy-framework\"\n");
        assert!(matches!(undated, Err(BadRegister::NoDate("mail"))));
        let misspelt = stated("[mail]\ncuontry = \"DE\"\n");
        assert!(matches!(misspelt, Err(BadRegister::Wrong { line: 2, .. })));
    }
}
