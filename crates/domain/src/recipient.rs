//! Everybody to whom something can leave the house. Whoever opens a connection is given a
//! [`Recipient`], and only a [`Register`] has one.

use std::fmt;

use serde::Deserialize;

/// What somebody outside does for the house. Closed: another kind of recipient is another line here, and
/// what it gets is declared before anything compiles.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Takes letters and delivers them.
    Mail,
    /// Keeps the rows, on a machine of its own.
    Database,
    /// Has the weights of models.
    Hub,
    /// Signs that the log of the house only grew. There may be several.
    Witness,
}

impl Role {
    pub const ALL: [Self; 4] = [Self::Mail, Self::Database, Self::Hub, Self::Witness];

    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Mail => "mail",
            Self::Database => "database",
            Self::Hub => "hub",
            Self::Witness => "witness",
        }
    }
}

/// By what personal data may go to another country (Chapter V GDPR).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum Transfer {
    /// It stays in the European Economic Area.
    Within,
    Adequacy,
    StandardClauses,
    BindingRules,
    /// Between the EU and the United States, for whoever is certified.
    DataPrivacyFramework,
    Derogation,
}

#[derive(Clone, Copy, Debug, thiserror::Error, PartialEq, Eq)]
pub enum BadTransfer {
    #[error(
        "Privacy Shield is no transfer tool: the Court of Justice declared it void on 16 July 2020 (C-311/18). Agree on standard contractual clauses, or see whether this recipient is certified for the EU-US Data Privacy Framework, and state that"
    )]
    PrivacyShield,
    #[error(
        "the transfer tool is one of: within-eea, adequacy, standard-contractual-clauses, binding-corporate-rules, eu-us-data-privacy-framework, derogation"
    )]
    Unknown,
}

impl Transfer {
    const ALL: [Self; 6] = [
        Self::Within,
        Self::Adequacy,
        Self::StandardClauses,
        Self::BindingRules,
        Self::DataPrivacyFramework,
        Self::Derogation,
    ];

    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Within => "within-eea",
            Self::Adequacy => "adequacy",
            Self::StandardClauses => "standard-contractual-clauses",
            Self::BindingRules => "binding-corporate-rules",
            Self::DataPrivacyFramework => "eu-us-data-privacy-framework",
            Self::Derogation => "derogation",
        }
    }

    /// After "goes there".
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Within => "without leaving the European Economic Area",
            Self::Adequacy => "by an adequacy decision, Art. 45 GDPR",
            Self::StandardClauses => "by standard contractual clauses, Art. 46(2)(c) GDPR",
            Self::BindingRules => "by binding corporate rules, Art. 47 GDPR",
            Self::DataPrivacyFramework => {
                "by a certification for the EU-US Data Privacy Framework, Art. 45 GDPR"
            }
            Self::Derogation => "by a derogation, Art. 49 GDPR",
        }
    }
}

impl TryFrom<String> for Transfer {
    type Error = BadTransfer;
    fn try_from(text: String) -> Result<Self, BadTransfer> {
        let letters = |text: &str| -> String {
            let letters = text.chars().filter(char::is_ascii_alphanumeric);
            letters.map(|c| c.to_ascii_lowercase()).collect()
        };
        if letters(&text).contains("privacyshield") {
            return Err(BadTransfer::PrivacyShield);
        }
        let mut all = Self::ALL.into_iter();
        let known = all.find(|tool| tool.name() == text);
        known.ok_or(BadTransfer::Unknown)
    }
}

/// A day of the calendar, as in `2026-01-31`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Day(String);

/// Two letters of ISO 3166.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Country(String);

/// The hash of a document.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Sha256(String);

macro_rules! checked {
    ($($type:ident: $is_good:expr, $says:literal;)+) => {$(
        impl TryFrom<String> for $type {
            type Error = &'static str;
            fn try_from(text: String) -> Result<Self, &'static str> {
                let is_good: fn(&str) -> bool = $is_good;
                if is_good(&text) { Ok(Self(text)) } else { Err($says) }
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    )+};
}

checked! {
    Day: is_day, "a day is written as 2026-01-31";
    Country: |text| text.len() == 2 && text.bytes().all(|b| b.is_ascii_uppercase()),
        "a country is written as two letters of ISO 3166: DE, US";
    Sha256: |text| text.len() == 64 && text.bytes().all(|b| b.is_ascii_hexdigit()),
        "a hash is SHA-256, in 64 hexadecimal digits";
}

fn is_day(text: &str) -> bool {
    let bytes = text.as_bytes();
    let number = |from: usize, to: usize| text.get(from..to).and_then(|n| n.parse::<u32>().ok());
    bytes.len() == 10
        && bytes[4] == b'-'
        && bytes[7] == b'-'
        && number(0, 4).is_some()
        && number(5, 7).is_some_and(|month| (1..=12).contains(&month))
        && number(8, 10).is_some_and(|day| (1..=31).contains(&day))
}

/// What only the operator knows of a recipient. What is missing is shown as not stated.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stated {
    pub name: Option<String>,
    pub country: Option<Country>,
    /// When the contract of Art. 28 GDPR was made, and the hash of its text.
    pub contract: Option<Day>,
    pub contract_sha256: Option<Sha256>,
    pub transfer: Option<Transfer>,
    /// When the tool came into force: the date of a certification, or of clauses.
    pub transfer_since: Option<Day>,
    /// How long they keep what they got, in their words.
    pub keeps: Option<String>,
    /// Where their own notice is.
    pub notice: Option<String>,
    /// Other names under which the same recipient hands out what it has.
    #[serde(default)]
    pub hosts: Vec<String>,
}

/// Somebody of the register: whoever has one may connect there, and nowhere else.
#[derive(Clone, PartialEq, Eq)]
pub struct Recipient {
    role: Role,
    address: String,
    stated: Stated,
}

impl Recipient {
    #[must_use]
    pub const fn role(&self) -> Role {
        self.role
    }

    /// Where to connect. It may hold a password.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// The name of the machine, with its port where the address has one, and nothing else of it.
    #[must_use]
    pub fn host(&self) -> &str {
        let rest = match self.address.split_once("://") {
            Some((_, rest)) => rest,
            None => &self.address,
        };
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        match authority.rsplit_once('@') {
            Some((_, host)) => host,
            None => authority,
        }
    }

    #[must_use]
    pub const fn stated(&self) -> &Stated {
        &self.stated
    }

    /// Whether a machine of this name, without a port, is this recipient's.
    #[must_use]
    pub fn answers_for(&self, host: &str) -> bool {
        let own = without_port(self.host());
        let is_near = |host: &str| matches!(host, "localhost" | "127.0.0.1" | "[::1]");
        let below = |domain: &str| host == domain || host.ends_with(&format!(".{domain}"));
        host == own
            || (is_near(own) && is_near(host))
            || self.stated.hosts.iter().any(|named| below(named))
    }
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) => name,
        _ => host,
    }
}

/// The address may hold a password.
impl fmt::Debug for Recipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Recipient({} {})", self.role.name(), self.host())
    }
}

/// Everybody to whom this house can connect.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Register(Vec<Recipient>);

impl Register {
    #[must_use]
    pub fn new(all: impl IntoIterator<Item = (Role, String, Stated)>) -> Self {
        let recipient = |(role, address, stated)| Recipient {
            role,
            address,
            stated,
        };
        Self(all.into_iter().map(recipient).collect())
    }

    pub fn all(&self, role: Role) -> impl Iterator<Item = &Recipient> {
        let all = self.0.iter();
        all.filter(move |recipient| recipient.role == role)
    }

    #[must_use]
    pub fn find(&self, role: Role) -> Option<&Recipient> {
        self.all(role).next()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(address: &str, hosts: &[&str]) -> Recipient {
        let hosts = hosts.iter().map(|host| (*host).to_owned()).collect();
        let stated = Stated {
            hosts,
            ..Stated::default()
        };
        let register = Register::new([(Role::Hub, address.to_owned(), stated)]);
        register.find(Role::Hub).cloned().expect("registered")
    }

    #[test]
    fn promise_trf_02_privacy_shield_is_no_transfer_tool_however_it_is_written() {
        for text in [
            "privacy-shield",
            "Privacy Shield",
            "EU-US PRIVACY_SHIELD",
            "privacyshield",
        ] {
            let refused = Transfer::try_from(text.to_owned());
            assert_eq!(refused, Err(BadTransfer::PrivacyShield), "{text}");
        }
        assert_eq!(
            Transfer::try_from("trust us".to_owned()),
            Err(BadTransfer::Unknown)
        );
        for tool in Transfer::ALL {
            assert_eq!(Transfer::try_from(tool.name().to_owned()), Ok(tool));
            assert!(BadTransfer::Unknown.to_string().contains(tool.name()));
        }
    }

    #[test]
    fn a_password_is_no_part_of_the_host_and_is_not_printed() {
        let mail = at("smtps://user:p@ss@mail.example.org:465/?tls=required", &[]);
        assert_eq!(mail.host(), "mail.example.org:465");
        assert!(!format!("{mail:?}").contains("ss@"));
        assert_eq!(at("https://example.org", &[]).host(), "example.org");
    }

    #[test]
    fn promise_shr_01_a_recipient_answers_for_its_own_hosts_alone() {
        let hub = at("https://hub.example.org", &["stores.example.net"]);
        for own in [
            "hub.example.org",
            "stores.example.net",
            "eu.stores.example.net",
        ] {
            assert!(hub.answers_for(own), "{own}");
        }
        for other in [
            "example.org",
            "evilstores.example.net",
            "localhost",
            "hub.example.org.evil",
        ] {
            assert!(!hub.answers_for(other), "{other}");
        }
        let near = at("http://127.0.0.1:8000", &[]);
        assert!(near.answers_for("localhost") && !near.answers_for("127.0.0.2"));
    }

    #[test]
    fn what_is_stated_has_its_form() {
        assert!(Day::try_from("2026-13-01".to_owned()).is_err());
        assert!(Day::try_from("2026-01-31".to_owned()).is_ok());
        assert!(Country::try_from("Germany".to_owned()).is_err());
        assert!(Sha256::try_from("abc".to_owned()).is_err());
    }
}
