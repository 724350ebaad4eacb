//! What a build does with data, as facts that a program can compare: the notice says them in words.

use domain::controller::Controller;
use domain::language::Language;
use domain::recipient::Register;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::accounts::idle;
use crate::privacy::inventory::{self, Kept, Purpose};
use crate::privacy::log::hex;
use crate::privacy::{canonical, notice, recipients};

/// Says what the document is, and which edition of its fields it has.
const KIND: &str = "pinhole/policy/1";

/// Who answers, what is kept why and until when, and who gets something of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Declaration(pub(super) Value);

impl Declaration {
    /// What this very build does, with these recipients. Without a controller it is that of a house which
    /// nobody else reaches.
    #[must_use]
    pub fn of_this_build(register: &Register, controller: Option<&Controller>) -> Self {
        let entries: Vec<Value> = notice::chapters(Language::English)
            .iter()
            .flat_map(|chapter| {
                chapter.data.iter().map(|(name, datum)| {
                    let purposes = inventory::of_column(chapter.place, name);
                    let purposes = purposes.unwrap_or(chapter.purposes).iter();
                    json!({
                        "place": format!("{}.{name}", chapter.place),
                        "what": datum.what,
                        "category": datum.category.key(),
                        "source": datum.source.words(),
                        "purposes": purposes.map(|purpose| purpose.name()).collect::<Vec<_>>(),
                        "kept": notice::kept_in_words(Language::English, chapter.kept),
                        "keeps": keeps(chapter.kept),
                        "on_erasure": chapter.erased.map(notice::erased_in_words),
                    })
                })
            })
            .collect();
        let purposes: Vec<Value> = Purpose::ALL
            .into_iter()
            .map(|purpose| {
                let readers = purpose.readers().iter();
                json!({
                    "name": purpose.name(),
                    "words": purpose.words(),
                    "basis": purpose.basis().words(),
                    "obliges": purpose.citation().map(|one| format!("{}, {}", one.law, one.article)),
                    "readers": readers.map(|role| role.name()).collect::<Vec<_>>(),
                })
            })
            .collect();
        Self(json!({
            "kind": KIND,
            "controller": controller,
            "entries": entries,
            "purposes": purposes,
            "recipients": used(&recipients::json(register)),
        }))
    }

    /// As it was published.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok().map(Self)
    }

    /// In the one form that can be hashed.
    #[must_use]
    pub fn text(&self) -> String {
        canonical::text(&self.0)
    }

    #[must_use]
    pub fn to_json(&self) -> Value {
        self.0.clone()
    }

    /// In hexadecimal.
    #[must_use]
    pub fn sha256(&self) -> String {
        sha256(&self.text())
    }

    #[must_use]
    pub fn controller(&self) -> Option<Controller> {
        serde_json::from_value(self.0.get("controller")?.clone()).ok()
    }
}

pub fn sha256(text: &str) -> String {
    hex(&Sha256::digest(text).into())
}

/// Those to whom something can go here; the others are nobody.
fn used(all: &Value) -> Vec<Value> {
    let all = all.as_array().into_iter().flatten();
    all.filter(|one| one["is_used"] == true).cloned().collect()
}

/// Until when something is kept, so that it can be said whether that is longer than before.
fn keeps(kept: Kept) -> Value {
    match kept {
        Kept::UntilDeleted => json!({ "until": "deleted" }),
        Kept::Chosen => json!({ "until": "chosen" }),
        Kept::Account => json!({ "until": "account", "idle_ms": idle::ENDS_AFTER_MS }),
        Kept::With(what) => json!({ "until": "with", "what": what }),
        Kept::For { ms, after } => json!({ "limits": [{ "after": after, "ms": ms }] }),
        Kept::Until(limits) => {
            let limits = limits.iter();
            let limits = limits.map(|limit| json!({ "after": limit.after, "ms": limit.ms }));
            json!({ "limits": limits.collect::<Vec<_>>() })
        }
        Kept::Books => json!({ "until": "books" }),
        Kept::Run => json!({ "until": "run" }),
    }
}
