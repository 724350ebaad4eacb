//! Who of those who run the house reads what of whom, and that it can be seen: what a role reads follows
//! from what it works for, for a time that they asked for, and whoever is looked at finds it in their log.
//!
//! Architecture invariant: what is sealed of others is opened for staff with what [`look`] gives, and it
//! gives nothing before each person concerned has their leaf, in the transaction that reads.

use domain::language::Language;
use std::collections::{BTreeMap, BTreeSet};

use db::Tx;
use domain::ids::PersonId;
use domain::role::Role;
use serde_json::{Value, json};

use super::duty;
use super::inventory::{Category, Holds, Purpose, TABLES};
use super::keys::{KeyError, Place, Reading};
use super::log::{self, Event, Kind};
use super::wording::say;
use crate::accounts::{Known, Means};
use crate::{Failure, Studio};

impl Purpose {
    /// The roles that work for it, and read of others what serves it. What is drawn, and all else that is
    /// not named here, nobody reads but its person.
    #[must_use]
    pub const fn readers(self) -> &'static [Role] {
        match self {
            Self::Account | Self::Credits | Self::Support => &[Role::Support, Role::Operator],
            // Of the last one only the log of the program, on the machine itself.
            Self::Mail | Self::Fairness | Self::Operation | Self::Billing => &[Role::Operator],
            Self::Rights
            | Self::Law
            | Self::Access
            | Self::Oversight
            | Self::Disclosure
            | Self::Breaches => &[Role::PrivacyOfficer, Role::Operator],
            Self::Drawing
            | Self::Repeats
            | Self::Security
            | Self::AgeGate
            | Self::Erasure
            | Self::Preferences
            | Self::Consents
            | Self::News
            | Self::Personalisation
            | Self::Examples
            | Self::TrainingPictures
            | Self::TrainingWords
            | Self::Analytics => &[],
        }
    }
}

/// Whether anybody but its person reads it, for a purpose.
fn is_open(purpose: Purpose, place: Place) -> bool {
    let serves = place.serves(purpose) || purpose == Purpose::Access;
    let is_open = match category(place) {
        // Of no use to anybody but a thief.
        Some(Category::Password) => false,
        // Where no mail is set up, operators hand letters on, links and all.
        Some(Category::Credentials) => purpose == Purpose::Mail,
        _ => true,
    };
    serves && is_open
}

fn category(place: Place) -> Option<Category> {
    let table = TABLES.iter().find(|table| table.name == place.table)?;
    let column = table.columns.iter();
    let mut named = column.filter(|column| column.name == place.column);
    match named.next()?.holds {
        Holds::Datum(datum) => Some(datum.category),
        Holds::Inner => None,
    }
}

/// Whoever reads of others, because they run the house.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Staff {
    role: Role,
    /// Where they are known: not in the shell.
    person: Option<PersonId>,
    /// In a house without accounts there is nobody else to look at.
    is_alone: bool,
}

impl Staff {
    /// Somebody who is known to a page.
    #[must_use]
    pub const fn on_page(known: &Known) -> Self {
        Self {
            role: known.role,
            person: Some(known.person),
            is_alone: matches!(known.means, Means::Local),
        }
    }

    /// Whoever has the data folder, and with it an operator's part.
    #[must_use]
    pub const fn in_shell() -> Self {
        Self {
            role: Role::Operator,
            person: None,
            is_alone: false,
        }
    }

    const fn way(&self) -> Way {
        match self.person {
            Some(_) => Way::Page,
            None => Way::Shell,
        }
    }
}

/// Where somebody looked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    Page,
    Shell,
}

impl Way {
    const fn name(self) -> &'static str {
        match self {
            Self::Page => "page",
            Self::Shell => "shell",
        }
    }
}

/// What one look shows: columns by the purpose for which they are read.
#[derive(Clone, Copy, Debug)]
pub struct View(&'static [(Purpose, &'static [Place])]);

impl View {
    /// Stands in a `const`: what the inventory does not list for the purpose fails the build.
    #[must_use]
    pub(crate) const fn of(parts: &'static [(Purpose, &'static [Place])]) -> Self {
        let mut part = 0;
        while part < parts.len() {
            let (purpose, places) = parts[part];
            let mut at = 0;
            while at < places.len() {
                assert!(
                    places[at].serves(purpose),
                    "the inventory does not list this purpose for what the view shows"
                );
                at += 1;
            }
            part += 1;
        }
        Self(parts)
    }

    /// Refuses what nobody reads but its person, however many agree.
    fn is_open_to(&self, role: Role) -> Result<(), Failure> {
        for (purpose, places) in self.0 {
            if !places.iter().all(|place| is_open(*purpose, *place)) {
                let purpose = *purpose;
                return Err(Failure::NotForRole { role, purpose });
            }
        }
        Ok(())
    }

    fn data(&self) -> Value {
        let mut names: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for (purpose, places) in self.0 {
            let known = names.entry(purpose.name()).or_default();
            known.extend(places.iter().map(Place::to_string));
        }
        json!(names)
    }
}

/// A look that everybody concerned can see.
#[derive(Debug)]
pub(crate) struct Seen(View);

impl Seen {
    /// With which what was looked at is opened; nothing else is.
    pub(crate) fn reading(&self, place: Place) -> Result<Reading, KeyError> {
        let mut parts = self.0.0.iter();
        let shown = parts.find(|(_, places)| places.contains(&place));
        match shown {
            Some((purpose, _)) => place.reading(*purpose),
            None => Err(KeyError::Unseen { place }),
        }
    }
}

/// Refuses what the role does not read, and, on a page, what nobody has said that they need it for; writes into the log of each of these people that they were looked
/// at, by which role and for what. Who reads their own leaves nothing, and who is gone gets nothing.
pub(crate) async fn look(
    studio: &Studio,
    tx: &mut Tx,
    staff: &Staff,
    view: View,
    whose: impl IntoIterator<Item = PersonId>,
) -> Result<Seen, Failure> {
    view.is_open_to(staff.role)?;
    let mut people: BTreeSet<PersonId> = whose.into_iter().collect();
    if let Some(own) = staff.person {
        people.remove(&own);
    }
    on_duty(studio, tx, staff, view, people.len()).await?;
    for person in people {
        note(studio, tx, staff, Some(person), view.data()).await?;
    }
    Ok(Seen(view))
}

/// As [`look`], at what its people may not know of yet: the house's own log has it.
pub(crate) async fn look_unseen(
    studio: &Studio,
    tx: &mut Tx,
    staff: &Staff,
    view: View,
) -> Result<(), Failure> {
    view.is_open_to(staff.role)?;
    on_duty(studio, tx, staff, view, 1).await?;
    note(studio, tx, staff, None, view.data()).await
}

/// Everything of a person is read at once, to answer them.
pub(crate) async fn look_at_everything(
    studio: &Studio,
    tx: &mut Tx,
    staff: &Staff,
    person: PersonId,
) -> Result<(), Failure> {
    let purpose = Purpose::Access;
    on_duty_for(studio, tx, staff, purpose, 1).await?;
    let data = json!({ purpose.name(): [EVERYTHING] });
    note(studio, tx, staff, Some(person), data).await
}

async fn on_duty(
    studio: &Studio,
    tx: &mut Tx,
    staff: &Staff,
    view: View,
    people: usize,
) -> Result<(), Failure> {
    let purposes: BTreeSet<Purpose> = view.0.iter().map(|(purpose, _)| *purpose).collect();
    let mut missing = Vec::new();
    for purpose in purposes {
        match on_duty_for(studio, tx, staff, purpose, people).await {
            Ok(()) => {}
            Err(Failure::NotOnDuty { purposes }) => missing.extend(purposes),
            Err(other) => return Err(other),
        }
    }
    match missing.is_empty() {
        true => Ok(()),
        false => Err(Failure::NotOnDuty { purposes: missing }),
    }
}

/// Whoever has the data folder has all of it, so the shell is asked for no duty: its looks are logged.
async fn on_duty_for(
    studio: &Studio,
    tx: &mut Tx,
    staff: &Staff,
    purpose: Purpose,
    people: usize,
) -> Result<(), Failure> {
    let role = staff.role;
    match staff.person {
        Some(person) if duty::is_needed(purpose) && !staff.is_alone => {
            duty::look(studio, tx, (person, role), purpose, people).await
        }
        _ if purpose.readers().contains(&staff.role) => Ok(()),
        _ => Err(Failure::NotForRole { role, purpose }),
    }
}

const EVERYTHING: &str = "*";
/// Of the keyed hash by which the house can find out who of its staff it was.
const READER_CHARS: usize = 12;

/// By which it can be seen whether it was the same one again.
pub(crate) fn reader_hash(studio: &Studio, reader: PersonId) -> String {
    let mut hash = studio.keys.blind("reader", &reader.to_string());
    hash.truncate(READER_CHARS);
    hash
}

async fn note(
    studio: &Studio,
    tx: &mut Tx,
    staff: &Staff,
    person: Option<PersonId>,
    data: Value,
) -> Result<(), Failure> {
    let reader = staff.person.map(|reader| reader_hash(studio, reader));
    let event = Event {
        kind: Kind::LookedAt,
        person,
        what: json!({
            "role": staff.role.name(),
            "by": staff.way().name(),
            "reader": reader,
            "data": data,
        }),
    };
    match log::note(studio, tx, &event).await {
        // Of who is gone nobody can read anything.
        Ok(_) | Err(Failure::Keys(KeyError::Gone(_))) => Ok(()),
        Err(failure) => Err(failure),
    }
}

/// A look, as its person reads of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Look {
    pub role: Role,
    pub way: Way,
    /// What was read, by what it was read for.
    pub data: Vec<(Purpose, Vec<Shown>)>,
}

impl Look {
    /// Whether all that is kept of the person was read.
    #[must_use]
    pub fn is_everything(&self) -> bool {
        self.data
            .iter()
            .any(|(purpose, _)| *purpose == Purpose::Access)
    }
}

/// Something of a table that was shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// `Each letter to you`
    pub row: &'static str,
    /// `the address that it goes to`
    pub what: Vec<&'static str>,
}

/// Reads a leaf again; `None` where it is none of a look.
#[must_use]
pub fn told(what: &Value) -> Option<Look> {
    let mut data = Vec::new();
    for (purpose, places) in what["data"].as_object()? {
        let mut rows: BTreeMap<usize, Vec<&'static str>> = BTreeMap::new();
        for place in places.as_array()? {
            let (table, column) = match place.as_str()?.split_once('.') {
                Some(place) => place,
                None => continue,
            };
            let at = TABLES.iter().position(|known| known.name == table)?;
            let mut known = TABLES[at].data();
            // What was renamed since then is told by its table.
            let datum = known.find(|(name, _)| *name == column);
            let row = rows.entry(at).or_default();
            row.extend(datum.map(|(_, datum)| datum.what));
        }
        let shown = rows.into_iter().map(|(at, what)| Shown {
            row: TABLES[at].row,
            what,
        });
        data.push((Purpose::named(purpose)?, shown.collect()));
    }
    Some(Look {
        role: what["role"].as_str()?.parse().ok()?,
        way: match what["by"].as_str()? {
            "page" => Way::Page,
            _ => Way::Shell,
        },
        data,
    })
}

/// In the middle of a sentence.
#[must_use]
pub const fn role_in_words(role: Role) -> &'static str {
    match role {
        Role::Person => "anybody",
        Role::Support => "the support",
        Role::Moderator => "moderators",
        Role::PrivacyOfficer => "the privacy officer",
        Role::Operator => "operators",
    }
}

/// `the support, operators`
#[must_use]
pub fn roles_in_words(language: Language, roles: &[Role]) -> String {
    let roles = roles.iter().map(|role| say(language, role_in_words(*role)));
    let words: Vec<&str> = roles.collect();
    match words.is_empty() {
        true => say(language, "nobody of us").to_owned(),
        false => words.join(", "),
    }
}

/// The matrix of who reads what, for the notice: each purpose with the roles that work for it.
#[must_use]
pub fn matrix() -> Vec<(Purpose, &'static [Role])> {
    let all = Purpose::ALL.into_iter();
    all.map(|purpose| (purpose, purpose.readers())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::privacy::inventory::BY_RIGHT;

    /// Whether a role reads something of others, for a purpose.
    fn may(role: Role, purpose: Purpose, place: Place) -> bool {
        is_open(purpose, place) && purpose.readers().contains(&role)
    }

    /// What each role reads, written down a second time: a change of either is seen.
    #[test]
    fn promise_pur_02_a_role_reads_only_what_serves_what_it_works_for() {
        let works_for = |role: Role| -> &'static [Purpose] {
            match role {
                Role::Person | Role::Moderator => &[],
                Role::Support => &[Purpose::Account, Purpose::Credits, Purpose::Support],
                Role::PrivacyOfficer => &[
                    Purpose::Rights,
                    Purpose::Law,
                    Purpose::Access,
                    Purpose::Oversight,
                    Purpose::Disclosure,
                    Purpose::Breaches,
                ],
                Role::Operator => &[
                    Purpose::Account,
                    Purpose::Credits,
                    Purpose::Mail,
                    Purpose::Fairness,
                    Purpose::Operation,
                    Purpose::Rights,
                    Purpose::Law,
                    Purpose::Access,
                    Purpose::Oversight,
                    Purpose::Disclosure,
                    Purpose::Breaches,
                    Purpose::Billing,
                    Purpose::Support,
                ],
            }
        };
        for role in Role::ALL {
            for purpose in Purpose::ALL {
                let works = works_for(role).contains(&purpose);
                for table in TABLES {
                    for (name, datum) in table.data() {
                        let place = Place::new(table.name, name);
                        let listed = table.purposes_of(name).expect("a column");
                        let is_secret =
                            matches!(datum.category, Category::Credentials | Category::Password);
                        let handed_on =
                            (table.name, name) == ("letter", "fields") && purpose == Purpose::Mail;
                        let serves = listed.contains(&purpose) || purpose == Purpose::Access;
                        let expected = works && serves && (!is_secret || handed_on);
                        let reads = may(role, purpose, place);
                        assert_eq!(reads, expected, "{role} reads {place} to {purpose:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn promise_pur_02_words_and_secrets_are_read_by_no_role_for_no_purpose_of_the_house() {
        let words = ["prompt", "negative_prompt", "unknown_words"];
        for role in Role::ALL {
            let mut purposes = Purpose::ALL.to_vec();
            // By which a person is answered who asks for everything, and reads of it.
            purposes.retain(|purpose| !BY_RIGHT.contains(purpose));
            for purpose in purposes {
                for column in words {
                    let place = Place::new("job", column);
                    assert!(!may(role, purpose, place), "{role} reads {place}");
                }
                for place in [
                    Place::new("account", "password_hash"),
                    Place::new("session", "token_hash"),
                    Place::new("totp", "secret"),
                    Place::new("recovery_code", "code_hash"),
                    Place::files("picture", "pictures"),
                ] {
                    assert!(!may(role, purpose, place), "{role} reads {place}");
                }
            }
        }
    }

    #[test]
    fn a_look_is_told_in_the_words_of_the_inventory() {
        let what = json!({
            "role": "operator", "by": "page", "reader": "0123456789ab",
            "data": { "mail": ["letter.address", "letter.gone"], "account": ["person.role"] },
        });
        let look = told(&what).expect("a look");
        assert_eq!((look.role, look.way), (Role::Operator, Way::Page));
        let letter = Shown {
            row: "Each letter to you",
            what: vec!["the address that it goes to"],
        };
        assert!(look.data.contains(&(Purpose::Mail, vec![letter])));
        assert_eq!(told(&json!({ "by": "operator" })), None);
        let everything =
            told(&json!({ "role": "operator", "by": "shell", "data": { "access": ["*"] } }));
        assert_eq!(
            everything.expect("a look").data,
            [(Purpose::Access, vec![])]
        );
    }
}
