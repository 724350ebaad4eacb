//! The skeleton of a data protection impact assessment (Art. 35(7) GDPR): what is done and why, from the
//! inventory; what could go wrong, and which promises stand against it, with the tests that hold them.
//! What only the controller knows is left open, and said so.

use domain::language::Language;
use domain::recipient::Register;
use serde_json::{Value, json};

use super::inventory::{Category, Purpose};
use super::notice::{self, Chapter};
use super::recipients;

/// Something that could happen to people.
#[derive(Clone, Copy, Debug)]
pub struct Risk {
    pub name: &'static str,
    pub what: &'static str,
    /// What of theirs it would hit.
    pub hits: &'static [Category],
    /// Ids of the promises that stand against it.
    pub measures: &'static [&'static str],
}

use Category::{
    Account, AccountSettings, AgeRange, Behavior, Content, Credentials, Device, Email, IpAddress,
    Name, Password, Picture, UniqueId, Username,
};

pub const RISKS: &[Risk] = &[
    Risk {
        name: "A stolen disk or backup",
        what: "Whoever gets the files of the database or of the pictures reads what people asked for, and who they are.",
        hits: &[Content, Picture, Email, Name, Username, Account],
        measures: &["SEC-02", "ACC-01", "X-07"],
    },
    Risk {
        name: "A stranger in somebody's account",
        what: "Guessed or stolen passwords, sessions that were left open, links that were passed on.",
        hits: &[Credentials, Password, Email, Content],
        measures: &["ACC-02", "ACC-03", "USE-06", "SEC-06", "SEC-07"],
    },
    Risk {
        name: "Staff who look",
        what: "Somebody who runs the house reads, exports or deletes without a reason, and nobody learns of it.",
        hits: &[Content, Picture, Email, Name, Behavior],
        measures: &["SEC-04", "SEC-07", "X-08", "PUR-02"],
    },
    Risk {
        name: "More is kept than was said",
        what: "The program changes, and collects or keeps what the notice does not name.",
        hits: &[Behavior, Device, UniqueId, AccountSettings, AgeRange],
        measures: &["GOV-02", "GOV-05", "RET-01", "X-04"],
    },
    Risk {
        name: "What was deleted comes back",
        what: "Files, logs, caches or a backup hold what somebody had forgotten.",
        hits: &[Content, Picture, Email, Name, UniqueId],
        measures: &["RGT-04", "RGT-07", "X-07", "RET-01"],
    },
    Risk {
        name: "People lose hold of what is theirs",
        what: "They can't see it, take it along or go elsewhere; or what they own is used for something else.",
        hits: &[Content, Picture, Account],
        measures: &["RGT-01", "RGT-05", "RGT-06", "OWN-01", "OWN-02"],
    },
    Risk {
        name: "Being watched in use",
        what: "Trails of visits, addresses of the network, cookies and logs tell who did what and when.",
        hits: &[IpAddress, Device, Behavior],
        measures: &["USE-01", "USE-02", "USE-04", "CNS-01"],
    },
    Risk {
        name: "Something of people reaches others",
        what: "Prompts or pictures go to providers, processors or the public without their knowledge.",
        hits: &[Content, Picture, UniqueId],
        measures: &["SHR-01", "SHR-02", "OWN-04"],
    },
    Risk {
        name: "Children",
        what: "Somebody below the age of consent uses the service.",
        hits: &[AgeRange, Content],
        measures: &["CHD-01", "CHD-02"],
    },
];

/// What the controller has to add: the program can't know it.
pub const OPEN: &[&str] = &[
    "Who the controller is, and the advice of the data protection officer (Art. 35(2))",
    "How many people use the service, where, and whether some of them are vulnerable",
    "How likely each risk is here, and how severe it would be",
    "The views of the people concerned, where they were asked (Art. 35(9))",
    "Processors and contracts that the program does not connect to: hosting, backups",
    "When this assessment is reviewed (Art. 35(11)), and whether the authority is to be consulted (Art. 36)",
];

/// A promise that stands against a risk, as docs/promises.md says how far it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Measure {
    pub id: &'static str,
    pub promise: &'static str,
    /// `kept`, `partly` or `not yet`.
    pub state: &'static str,
    pub tests: Vec<&'static str>,
}

/// Every promise of the list.
pub fn measures() -> impl Iterator<Item = Measure> {
    const LIST: &str = include_str!("../../../../docs/promises.md");
    LIST.lines().filter_map(|line| {
        let cells: Vec<&'static str> = line.split('|').map(str::trim).collect();
        let [_, id, promise, state, tests, ..] = cells[..] else {
            return None;
        };
        if !["kept", "partly", "not yet"].contains(&state) {
            return None;
        }
        let tests = tests.split(", ").map(|test| test.trim_matches('`'));
        Some(Measure {
            id,
            promise,
            state,
            tests: tests.filter(|test| !test.is_empty()).collect(),
        })
    })
}

impl Risk {
    /// The promises that stand against it.
    #[must_use]
    pub fn measures(&self) -> Vec<Measure> {
        measures()
            .filter(|measure| self.measures.contains(&measure.id))
            .collect()
    }

    /// What is kept that it would hit.
    #[must_use]
    pub fn chapters(&self) -> Vec<String> {
        let hit = |chapter: &Chapter| {
            let mut data = chapter.data.iter();
            data.any(|(_, datum)| self.hits.contains(&datum.category))
        };
        let chapters = notice::chapters(Language::English).into_iter().filter(hit);
        let mut headings: Vec<String> = chapters.map(|chapter| chapter.heading).collect();
        headings.dedup();
        headings
    }
}

/// Why a purpose needs what it uses, in the words of its basis.
fn necessity(purpose: Purpose) -> String {
    format!(
        "Needed to {}; nothing that is not declared for it can be kept, and each line has an end.",
        purpose.words()
    )
}

#[must_use]
pub fn text(register: &Register) -> String {
    let mut text = String::from(
        "DATA PROTECTION IMPACT ASSESSMENT, ART. 35 GDPR: A SKELETON\n\n\
         Made from what the program declares, and from its list of promises. What stands under OPEN is the \
         controller's to add.\n\n\
         1. WHAT IS DONE, WHY, AND WHETHER IT IS NEEDED\n",
    );
    for activity in notice::record(register) {
        text += &format!("\nTo {}\n", activity.purpose.words());
        text += &format!("  legal basis: {}\n", activity.purpose.basis().words());
        text += &format!("  categories: {}\n", activity.categories.join(", "));
        text += &format!("  necessity: {}\n", necessity(activity.purpose));
        text += &format!("  recipients: {}\n", activity.recipients_in_words());
        for (what, kept) in activity.limits {
            text += &format!("  {what}: kept {kept}\n");
        }
    }
    text += &recipients::text(Language::English, register);
    text += "\n2. RISKS TO PEOPLE, AND WHAT STANDS AGAINST THEM\n";
    for risk in RISKS {
        text += &format!("\n{}\n  {}\n", risk.name, risk.what);
        text += &format!("  would hit: {}\n", risk.chapters().join("; "));
        for measure in risk.measures() {
            text += &format!(
                "  {} ({}): {}\n",
                measure.id, measure.state, measure.promise
            );
            for test in measure.tests {
                text += &format!("    tested by {test}\n");
            }
        }
        text += "  likelihood and severity here: OPEN\n";
    }
    text += "\n3. OPEN\n\n";
    for open in OPEN {
        text += &format!("- {open}\n");
    }
    text
}

#[must_use]
pub fn json(register: &Register) -> Value {
    let processing: Vec<Value> = notice::record(register)
        .into_iter()
        .map(|activity| {
            let limits = activity.limits.into_iter();
            let limits = limits.map(|(what, kept)| json!({ "what": what, "kept": kept }));
            json!({
                "purpose": activity.purpose.words(),
                "legal_basis": activity.purpose.basis().words(),
                "categories": activity.categories,
                "necessity": necessity(activity.purpose),
                "time_limits": limits.collect::<Vec<_>>(),
                "recipients": activity.recipients,
            })
        })
        .collect();
    let risks: Vec<Value> = RISKS
        .iter()
        .map(|risk| {
            let measures = risk.measures().into_iter();
            let measures = measures.map(|measure| {
                json!({
                    "id": measure.id,
                    "promise": measure.promise,
                    "state": measure.state,
                    "tests": measure.tests,
                })
            });
            json!({
                "name": risk.name,
                "what": risk.what,
                "would_hit": risk.chapters(),
                "measures": measures.collect::<Vec<_>>(),
                "likelihood": null,
                "severity": null,
            })
        })
        .collect();
    json!({
        "processing": processing,
        "recipients": recipients::json(register),
        "risks": risks,
        "open": OPEN,
    })
}

/// The same in the Data Privacy Vocabulary (W3C, DPV 2), as JSON-LD.
#[must_use]
pub fn json_ld() -> Value {
    let risks: Vec<Value> = RISKS
        .iter()
        .map(|risk| {
            let mut data: Vec<&str> = risk.hits.iter().map(|category| category.dpv()).collect();
            data.sort_unstable();
            data.dedup();
            let data: Vec<Value> = data.into_iter().map(|id| json!({ "@id": id })).collect();
            let measures: Vec<Value> = risk
                .measures()
                .into_iter()
                .map(|measure| {
                    json!({
                        "@id": format!("urn:pinhole:promise:{}", measure.id),
                        "@type": "dpv:TechnicalOrganisationalMeasure",
                        "dct:title": measure.promise,
                        "dpv:hasStatus": measure.state,
                    })
                })
                .collect();
            json!({
                "@type": "dpv:Risk",
                "dct:title": risk.name,
                "dct:description": risk.what,
                "dpv:hasPersonalData": data,
                "dpv:isMitigatedByMeasure": measures,
            })
        })
        .collect();
    let mut purposes: Vec<&str> = Purpose::ALL.iter().map(|purpose| purpose.dpv()).collect();
    purposes.sort_unstable();
    purposes.dedup();
    let purposes: Vec<Value> = purposes
        .into_iter()
        .map(|id| json!({ "@id": id }))
        .collect();
    json!({
        "@context": {
            "dpv": "https://w3id.org/dpv#",
            "pd": "https://w3id.org/dpv/pd#",
            "eu-gdpr": "https://w3id.org/dpv/legal/eu/gdpr#",
            "dct": "http://purl.org/dc/terms/",
        },
        "@type": "eu-gdpr:DPIA",
        "dct:title": "Data protection impact assessment: a skeleton",
        "dpv:hasPurpose": purposes,
        "dpv:hasRisk": risks,
        "dct:requires": OPEN,
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn promise_x_04_the_assessment_names_risks_with_measures_that_exist() {
        let known: BTreeSet<&str> = measures().map(|measure| measure.id).collect();
        assert_eq!(known.len(), 104);
        for risk in RISKS {
            assert_eq!(risk.measures().len(), risk.measures.len(), "{}", risk.name);
            assert!(!risk.chapters().is_empty(), "{}", risk.name);
            assert!(text(&Register::default()).contains(risk.name));
        }
        // Every kind of thing that is kept is at some risk.
        let hit: BTreeSet<Category> = RISKS.iter().flat_map(|risk| risk.hits).copied().collect();
        for chapter in notice::chapters(Language::English) {
            for (name, datum) in chapter.data {
                assert!(hit.contains(&datum.category), "{}.{name}", chapter.place);
            }
        }
        for purpose in Purpose::ALL {
            assert!(text(&Register::default()).contains(purpose.words()));
        }
    }
}
