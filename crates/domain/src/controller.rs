//! Who answers for a house (Art. 4(7) GDPR), as its notice has to say (Art. 13(1)(a) and (b)).

use serde::{Deserialize, Serialize};

/// What a notice says of them. All of it is public.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Controller {
    pub name: String,
    /// Where a letter on paper reaches them.
    pub address: String,
    pub email: String,
    /// The data protection officer, or `none, because …`.
    pub officer: String,
    /// The representative in the Union (Art. 27 GDPR), or `none, because …`.
    pub representative: String,
}

/// One thing that has to be known of them, and where the operator says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field {
    pub what: &'static str,
    pub variable: &'static str,
    example: &'static str,
}

impl Field {
    pub const NAME: Self = Self {
        what: "the name of who answers for this house",
        variable: "PINHOLE_CONTROLLER",
        example: "Example Pictures Ltd",
    };
    pub const ADDRESS: Self = Self {
        what: "the postal address of who answers for this house",
        variable: "PINHOLE_CONTROLLER_ADDRESS",
        example: "1 Example Street, 12345 Exampletown, Norway",
    };
    pub const EMAIL: Self = Self {
        what: "the e-mail address for questions of privacy",
        variable: "PINHOLE_PRIVACY_EMAIL",
        example: "privacy@pictures.example.org",
    };
    pub const OFFICER: Self = Self {
        what: "the data protection officer",
        variable: "PINHOLE_PRIVACY_OFFICER",
        example: "none, because we are three people and watch nobody on a large scale",
    };
    pub const REPRESENTATIVE: Self = Self {
        what: "the representative in the European Union",
        variable: "PINHOLE_EU_REPRESENTATIVE",
        example: "none, because we are in the European Economic Area ourselves",
    };
}

/// What is missing, each with its variable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Incomplete(Vec<(Field, Trouble)>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trouble {
    Missing,
    NoAddress,
    NoReason,
}

impl std::error::Error for Incomplete {}

impl std::fmt::Display for Incomplete {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(
            "others reach this house, so its privacy notice has to say who answers for it (Art. 13 GDPR):",
        )?;
        for (field, trouble) in &self.0 {
            let Field {
                what,
                variable,
                example,
            } = field;
            let trouble = match trouble {
                Trouble::Missing => "is not set",
                Trouble::NoAddress => "is no e-mail address that somebody could write to",
                Trouble::NoReason => {
                    "is neither somebody who can be reached nor \"none, because\" with the reason"
                }
            };
            write!(
                f,
                "\n  {variable}: {what} {trouble}. Set it, as in {variable}=\"{example}\""
            )?;
        }
        Ok(())
    }
}

/// Shorter reasons say nothing.
const MIN_REASON_CHARS: usize = 8;

impl Controller {
    /// Reads it from what an operator said of each field.
    pub fn read(said: impl Fn(Field) -> Option<String>) -> Result<Self, Incomplete> {
        let mut troubles = Vec::new();
        let mut read = |field: Field, wrong: fn(&str) -> Option<Trouble>| {
            let text = said(field).unwrap_or_default();
            let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
            let text = lines.collect::<Vec<_>>().join(", ");
            let trouble = match text.as_str() {
                "" => Some(Trouble::Missing),
                text => wrong(text),
            };
            troubles.extend(trouble.map(|trouble| (field, trouble)));
            text
        };
        let controller = Self {
            name: read(Field::NAME, |_| None),
            address: read(Field::ADDRESS, |_| None),
            email: read(Field::EMAIL, |text| {
                (!is_reachable(text)).then_some(Trouble::NoAddress)
            }),
            officer: read(Field::OFFICER, unreasoned),
            representative: read(Field::REPRESENTATIVE, unreasoned),
        };
        match troubles.is_empty() {
            true => Ok(controller),
            false => Err(Incomplete(troubles)),
        }
    }

    /// As a notice tells of them, each line with its heading.
    #[must_use]
    pub fn lines(&self) -> [(&'static str, &str); 5] {
        [
            ("Who answers for this house", &self.name),
            ("Postal address", &self.address),
            ("E-mail for privacy", &self.email),
            ("Data protection officer", &self.officer),
            ("Representative in the European Union", &self.representative),
        ]
    }
}

/// Something was blanked where a sign like `[email protected]` stands.
fn is_reachable(text: &str) -> bool {
    let Some((name, host)) = text.split_once('@') else {
        return false;
    };
    let is_plain = |c: char| c.is_alphanumeric() || "._%+-".contains(c);
    let is_host = |c: char| c.is_alphanumeric() || ".-".contains(c);
    !name.is_empty()
        && name.chars().all(is_plain)
        && host.chars().all(is_host)
        && host.split('.').count() > 1
        && host.split('.').all(|part| !part.is_empty())
}

fn unreasoned(text: &str) -> Option<Trouble> {
    let lower = text.to_lowercase();
    let is_none = lower
        .strip_prefix("none")
        .is_some_and(|rest| !rest.starts_with(char::is_alphanumeric));
    if !is_none {
        return None;
    }
    let reason = lower.split_once("because").map_or("", |(_, reason)| reason);
    (reason.trim().chars().count() < MIN_REASON_CHARS).then_some(Trouble::NoReason)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIELDS: [(Field, &str); 5] = [
        (Field::NAME, "Example Pictures Ltd"),
        (
            Field::ADDRESS,
            "1 Example Street\n12345 Exampletown\nNorway",
        ),
        (Field::EMAIL, "privacy@pictures.example.org"),
        (Field::OFFICER, "Ada Example, dpo@pictures.example.org"),
        (
            Field::REPRESENTATIVE,
            "None, because we are in the European Economic Area",
        ),
    ];

    fn read_with(changed: Field, to: &str) -> Result<Controller, Incomplete> {
        Controller::read(|field| {
            let (_, text) = FIELDS.into_iter().find(|(one, _)| *one == field)?;
            Some(if field == changed { to } else { text }.to_owned())
        })
    }

    #[test]
    fn promise_gov_01_each_field_that_is_empty_is_named_with_its_variable() {
        let whole = read_with(Field::NAME, "Example Pictures Ltd").expect("is whole");
        assert_eq!(whole.address, "1 Example Street, 12345 Exampletown, Norway");
        for (field, _) in FIELDS {
            for empty in ["", "  \n "] {
                let refused = read_with(field, empty).expect_err("is missing");
                let says = refused.to_string();
                assert!(
                    says.contains(field.variable) && says.contains(field.what),
                    "{says}"
                );
                let others = FIELDS.iter().filter(|(one, _)| *one != field);
                for (other, _) in others {
                    assert!(!says.contains(&format!("{}:", other.variable)), "{says}");
                }
            }
        }
        let none = Controller::read(|_| None).expect_err("all are missing");
        assert_eq!(none.0.len(), FIELDS.len());
    }

    #[test]
    fn promise_gov_01_an_address_can_be_written_to_and_a_none_has_its_reason() {
        for bad in [
            "[email protected]",
            "privacy",
            "privacy@",
            "@example.org",
            "a@b",
            "a b@c.d",
        ] {
            assert!(read_with(Field::EMAIL, bad).is_err(), "{bad}");
        }
        for field in [Field::OFFICER, Field::REPRESENTATIVE] {
            for bad in ["none", "None.", "none, because", "none, because no"] {
                assert!(read_with(field, bad).is_err(), "{bad}");
            }
            assert!(read_with(field, "none, because nobody is watched here").is_ok());
            assert!(read_with(field, "Nonette Example, dpo@example.org").is_ok());
        }
    }
}
