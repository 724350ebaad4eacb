//! What one declaration says otherwise than another, and how much that matters to people. The program
//! judges it; an operator can only be stricter.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::declaration::Declaration;
use crate::privacy::inventory::Category;

/// What kind of difference it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sort {
    NewController,
    NewPurpose,
    NewBasis,
    NewCategory,
    NewRecipient,
    NewReaders,
    LongerRetention,
    /// Something more of a kind that was there, for what it was there for.
    NewDatum,
    /// Something is done less, or for a shorter time, or not any more.
    Less,
    Words,
}

impl Sort {
    /// Whether people have to be told long before (Art. 13(3), 14(4) GDPR; WP260 rev.01, 29 to 31).
    #[must_use]
    pub const fn is_material(self) -> bool {
        match self {
            Self::NewController
            | Self::NewPurpose
            | Self::NewBasis
            | Self::NewCategory
            | Self::NewRecipient
            | Self::NewReaders
            | Self::LongerRetention => true,
            Self::NewDatum | Self::Less | Self::Words => false,
        }
    }

    /// Whether it may not be done before a version that says so is in force.
    #[must_use]
    pub const fn waits(self) -> bool {
        self.is_material() || matches!(self, Self::NewDatum)
    }

    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::NewController => "Somebody else answers for this house",
            Self::NewPurpose => "A new purpose",
            Self::NewBasis => "Another legal basis",
            Self::NewCategory => "Data of a kind that did not serve this before",
            Self::NewRecipient => "Somebody else gets something, or more than before",
            Self::NewReaders => "More of those who run the house read it",
            Self::LongerRetention => "Kept for longer",
            Self::NewDatum => "Something more of a kind that was there",
            Self::Less => "Less than before",
            Self::Words => "Other words",
        }
    }
}

/// One difference, as people read it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Change {
    pub sort: Sort,
    pub says: String,
}

/// Everything that `new` says otherwise than `old`, what matters most first.
#[must_use]
pub fn between(old: &Declaration, new: &Declaration) -> Vec<Change> {
    let mut found = Found::default();
    found.controller(&old.0["controller"], &new.0["controller"]);
    found.purposes(&old.0["purposes"], &new.0["purposes"]);
    found.entries((&old.0["entries"], &new.0["entries"]), &new.0["purposes"]);
    found.recipients(&old.0["recipients"], &new.0["recipients"]);
    let mut all: Vec<Change> = found.0.into_iter().collect();
    all.sort();
    all
}

#[derive(Default)]
struct Found(BTreeSet<Change>);

impl Found {
    fn add(&mut self, sort: Sort, says: impl Into<String>) {
        let says = says.into();
        self.0.insert(Change { sort, says });
    }

    fn controller(&mut self, old: &Value, new: &Value) {
        // Only a house that others reach has one.
        if new.is_null() || old.is_null() || old == new {
            return;
        }
        if old["name"] != new["name"] {
            let (old, new) = (text(old, "name"), text(new, "name"));
            self.add(Sort::NewController, format!("{new}, in place of {old}"));
        }
        for field in ["address", "email", "officer", "representative"] {
            if old[field] != new[field] {
                let (old, new) = (text(old, field), text(new, field));
                self.add(Sort::Words, format!("{field}: {new}, in place of {old}"));
            }
        }
    }

    fn purposes(&mut self, old: &Value, new: &Value) {
        let (old, new) = (by(old, "name"), by(new, "name"));
        for (name, purpose) in &new {
            let words = text(purpose, "words");
            let Some(before) = old.get(name) else {
                self.add(
                    Sort::NewPurpose,
                    format!("to {words} ({})", text(purpose, "basis")),
                );
                continue;
            };
            if before["basis"] != purpose["basis"] {
                let (basis, was) = (text(purpose, "basis"), text(before, "basis"));
                self.add(
                    Sort::NewBasis,
                    format!("to {words}: {basis}, in place of {was}"),
                );
            }
            if before["words"] != purpose["words"] {
                // A name can't stay while something else is meant by it.
                let was = text(before, "words");
                self.add(
                    Sort::NewPurpose,
                    format!("to {words}, in place of to {was}"),
                );
            }
            if before["obliges"] != purpose["obliges"] {
                let law = text(purpose, "obliges");
                self.add(Sort::Words, format!("to {words}: the law is {law}"));
            }
            let (had, has) = (set(before, "readers"), set(purpose, "readers"));
            for role in has.difference(&had) {
                self.add(Sort::NewReaders, format!("to {words}: {role}"));
            }
            for role in had.difference(&has) {
                self.add(
                    Sort::Less,
                    format!("{role} no longer reads what is kept to {words}"),
                );
            }
        }
        for (_, purpose) in old.iter().filter(|(name, _)| !new.contains_key(*name)) {
            let words = text(purpose, "words");
            self.add(Sort::Less, format!("nothing is kept to {words} any more"));
        }
    }

    fn entries(&mut self, (old, new): (&Value, &Value), purposes: &Value) {
        let served: BTreeSet<(String, String)> = list(old).flat_map(pairs).collect();
        let purposes = by(purposes, "name");
        let (old, new) = (by(old, "place"), by(new, "place"));
        for (place, entry) in &new {
            let what = text(entry, "what");
            for (category, purpose) in pairs(entry) {
                if !served.contains(&(category.clone(), purpose.clone())) {
                    let why = purposes.get(purpose.as_str());
                    let why = why.map_or(purpose.as_str(), |why| text(why, "words"));
                    self.add(Sort::NewCategory, format!("{what} ({category}), to {why}"));
                }
            }
            let Some(before) = old.get(place) else {
                let kept = text(entry, "kept");
                self.add(Sort::NewDatum, format!("{what}, kept {kept}"));
                continue;
            };
            let (was, is) = (text(before, "kept"), text(entry, "kept"));
            if is_longer(&before["keeps"], &entry["keeps"]) {
                self.add(
                    Sort::LongerRetention,
                    format!("{what}: {is}, in place of {was}"),
                );
            } else if before["keeps"] != entry["keeps"] {
                self.add(Sort::Less, format!("{what}: kept {is}, in place of {was}"));
            }
            if before["on_erasure"] != entry["on_erasure"] {
                let says = format!("{what}: on erasure {}", text(entry, "on_erasure"));
                match text(entry, "on_erasure") {
                    "deleted" => self.add(Sort::Less, says),
                    _ => self.add(Sort::LongerRetention, says),
                }
            }
            let (had, has) = (set(before, "purposes"), set(entry, "purposes"));
            for purpose in had.difference(&has) {
                self.add(Sort::Less, format!("{what} no longer serves {purpose}"));
            }
            for purpose in has.difference(&had) {
                self.add(Sort::NewDatum, format!("{what} now serves {purpose} too"));
            }
            for field in ["what", "source", "category"] {
                if before[field] != entry[field] {
                    let (was, is) = (text(before, field), text(entry, field));
                    self.add(
                        Sort::Words,
                        format!("{what}: {field} is {is}, in place of {was}"),
                    );
                }
            }
        }
        for (_, entry) in old.iter().filter(|(place, _)| !new.contains_key(*place)) {
            let what = text(entry, "what");
            self.add(Sort::Less, format!("{what} is not kept any more"));
        }
    }

    fn recipients(&mut self, old: &Value, new: &Value) {
        // Another port of a machine is no other party.
        let key = |one: &Value| format!("{} {}", text(one, "role"), machine(one));
        let all = |value| -> BTreeMap<String, Value> {
            list(value).map(|one| (key(one), one.clone())).collect()
        };
        let (old, new) = (all(old), all(new));
        for (key, party) in &new {
            let who = format!("{}, {}", text(party, "who"), machine(party));
            let gets = set(party, "categories");
            let Some(before) = old.get(key) else {
                match gets.is_empty() {
                    true => self.add(Sort::Words, format!("{who}, which gets nothing of anybody")),
                    false => self.add(Sort::NewRecipient, format!("{who} gets {}", kinds(gets))),
                }
                continue;
            };
            for (field, word) in [
                ("categories", "now gets"),
                ("purposes", "now gets something to"),
            ] {
                let (had, has) = (set(before, field), set(party, field));
                for more in has.difference(&had) {
                    self.add(Sort::NewRecipient, format!("{who} {word} {more}"));
                }
                for less in had.difference(&has) {
                    self.add(Sort::Less, format!("{who} gets nothing of {less} any more"));
                }
            }
            if !gets.is_empty()
                && before["country"] != party["country"]
                && !before["country"].is_null()
            {
                let (was, is) = (text(before, "country"), text(party, "country"));
                self.add(
                    Sort::NewRecipient,
                    format!("{who} is in {is}, in place of {was}"),
                );
            }
            if before["keeps"] != party["keeps"] && !before["keeps"].is_null() {
                let (was, is) = (text(before, "keeps"), text(party, "keeps"));
                self.add(
                    Sort::LongerRetention,
                    format!("{who} keeps it {is}, in place of {was}"),
                );
            }
            let told = [
                "name",
                "host",
                "position",
                "task",
                "gets",
                "contract",
                "contract_sha256",
                "transfer",
                "transfer_since",
                "notice",
                "hosts",
                "fields",
            ];
            if told.iter().any(|field| before[*field] != party[*field])
                || (before["keeps"].is_null() && !party["keeps"].is_null())
                || (before["country"].is_null() && !party["country"].is_null())
            {
                self.add(Sort::Words, format!("{who}: something else is told of it"));
            }
        }
        for (_, party) in old.iter().filter(|(key, _)| !new.contains_key(*key)) {
            let who = format!("{}, {}", text(party, "who"), machine(party));
            self.add(Sort::Less, format!("{who} gets nothing any more"));
        }
    }
}

/// Whether something may be kept for longer than before. What can't be compared counts as longer.
fn is_longer(old: &Value, new: &Value) -> bool {
    if old == new {
        return false;
    }
    let limits = |value: &Value| value["limits"].as_array().cloned();
    let ms = |limit: &Value| limit["ms"].as_i64().unwrap_or(i64::MAX);
    match (limits(old), limits(new)) {
        // The first of several limits that is over ends it: none of them may go or grow.
        (Some(old), Some(new)) => !old.iter().all(|limit| {
            new.iter()
                .any(|one| one["after"] == limit["after"] && ms(one) <= ms(limit))
        }),
        // An end of its own comes on top of that of the account, and what is deleted goes all the same.
        (None, Some(_)) => {
            !["account", "deleted", "chosen", "books", "log"].contains(&text(old, "until"))
        }
        (None, None) if text(old, "until") == "account" && text(new, "until") == "account" => {
            new["idle_ms"].as_i64() > old["idle_ms"].as_i64()
        }
        (None, None) => text(old, "until") != "books" && text(new, "until") != "run",
        (Some(_), None) => text(new, "until") != "run",
    }
}

/// The host of a recipient without its port.
fn machine(party: &Value) -> &str {
    let host = text(party, "host");
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    }
}

/// Categories as people read them.
fn kinds<'a>(keys: impl IntoIterator<Item = &'a str>) -> String {
    let words = |key: &'a str| {
        let mut all = Category::ALL.into_iter();
        all.find(|one| one.key() == key)
            .map_or(key, |one| one.words())
    };
    let words: Vec<&str> = keys.into_iter().map(words).collect();
    words.join(", ")
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn by<'a>(value: &'a Value, field: &str) -> BTreeMap<&'a str, &'a Value> {
    list(value).map(|one| (text(one, field), one)).collect()
}

fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value[field].as_str().unwrap_or("not stated")
}

fn set<'a>(value: &'a Value, field: &str) -> BTreeSet<&'a str> {
    list(&value[field]).filter_map(Value::as_str).collect()
}

/// Each category with each purpose that it serves.
fn pairs(entry: &Value) -> Vec<(String, String)> {
    let category = text(entry, "category");
    let purposes = set(entry, "purposes").into_iter();
    purposes
        .map(|purpose| (category.to_owned(), purpose.to_owned()))
        .collect()
}

#[cfg(test)]
mod tests {
    use domain::recipient::Register;
    use serde_json::json;

    use super::*;

    fn this() -> Declaration {
        Declaration::of_this_build(&Register::default(), None)
    }

    fn changed(how: impl FnOnce(&mut Value)) -> Declaration {
        let mut one = this();
        how(&mut one.0);
        one
    }

    fn entry<'a>(value: &'a mut Value, place: &str) -> &'a mut Value {
        let all = value["entries"].as_array_mut().expect("entries");
        let mut all = all.iter_mut();
        all.find(|one| one["place"] == place).expect("is declared")
    }

    fn sorts(old: &Declaration, new: &Declaration) -> BTreeSet<Sort> {
        between(old, new).iter().map(|one| one.sort).collect()
    }

    #[test]
    fn promise_pol_01_the_program_judges_what_matters_to_people() {
        let old = this();
        assert_eq!(between(&old, &old), []);
        type How = fn(&mut Value);
        let more: [(Sort, How); 7] = [
            (Sort::NewPurpose, |value| {
                let all = value["purposes"].as_array_mut().expect("purposes");
                all.push(
                    json!({ "name": "sale", "words": "sell it", "basis": "b", "readers": [] }),
                );
            }),
            (Sort::NewBasis, |value| {
                value["purposes"][0]["basis"] = json!("our legitimate interest");
            }),
            (Sort::NewCategory, |value| {
                let all = &mut entry(value, "account.address")["purposes"];
                all.as_array_mut().expect("purposes").push(json!("credits"));
            }),
            (Sort::NewReaders, |value| {
                value["purposes"][0]["readers"] = json!(["moderator"]);
            }),
            (Sort::NewRecipient, |value| {
                value["recipients"] = json!([{
                    "role": "mail", "who": "The mail server", "host": "mail.example.org",
                    "gets": "letters", "categories": ["user.contact.email"],
                }]);
            }),
            (Sort::LongerRetention, |value| {
                let limits = &mut entry(value, "session.family")["keeps"]["limits"];
                limits[0]["ms"] = json!(limits[0]["ms"].as_i64().expect("a number") + 1);
            }),
            (Sort::LongerRetention, |value| {
                entry(value, "job.prompt")["on_erasure"] = json!("kept");
            }),
        ];
        for (sort, how) in more {
            let new = changed(how);
            assert!(sorts(&old, &new).contains(&sort), "{sort:?}");
            assert!(between(&old, &new).iter().any(|one| one.sort.is_material()));
            // The other way round it is less, which nobody has to wait for.
            let back = sorts(&new, &old);
            let is_told = sort == Sort::NewBasis || back.iter().all(|one| !one.waits());
            assert!(is_told && !back.is_empty(), "{sort:?}: {back:?}");
        }
    }

    #[test]
    fn promise_pol_01_something_more_of_a_kind_that_was_there_waits_for_its_version_alone() {
        let old = this();
        let new = changed(|value| {
            let mut one = entry(value, "account.created_ms").clone();
            one["place"] = json!("account.seen_ms");
            value["entries"].as_array_mut().expect("entries").push(one);
        });
        assert_eq!(sorts(&old, &new), BTreeSet::from([Sort::NewDatum]));
        assert!(Sort::NewDatum.waits() && !Sort::NewDatum.is_material());
        assert_eq!(sorts(&new, &old), BTreeSet::from([Sort::Less]));
    }

    #[test]
    fn promise_pol_01_what_cannot_be_compared_counts_as_longer() {
        let limits = |all: &[(&str, i64)]| {
            let all = all.iter();
            let all = all.map(|(after, ms)| json!({ "after": after, "ms": ms }));
            json!({ "limits": all.collect::<Vec<_>>() })
        };
        let until = |what: &str| json!({ "until": what });
        for (old, new, longer) in [
            (limits(&[("a", 5)]), limits(&[("a", 4)]), false),
            (limits(&[("a", 5)]), limits(&[("a", 6)]), true),
            (limits(&[("a", 5)]), limits(&[("b", 1)]), true),
            (limits(&[("a", 5)]), limits(&[("a", 5), ("b", 9)]), false),
            (limits(&[("a", 5), ("b", 9)]), limits(&[("a", 5)]), true),
            (limits(&[("a", 5)]), until("account"), true),
            (until("account"), limits(&[("a", 5)]), false),
            (until("run"), limits(&[("a", 5)]), true),
            (until("run"), until("log"), true),
            (until("books"), until("account"), false),
            (until("deleted"), until("account"), true),
        ] {
            assert_eq!(is_longer(&old, &new), longer, "{old} {new}");
        }
    }
}
