//! Consent (Art. 7 GDPR): what is done only because somebody said yes to it, in words that they read.
//! Nobody has said yes who did not say so, and taking it back is one step, as giving it is.
//!
//! Architecture invariant: whether something is allowed is asked of the database by the statement that
//! does it, with the condition of [`allows`]. Nothing remembers it. A decision is written by one
//! function, which only those of `deciding` call.

mod by_picture;
mod deciding;
mod editions;
pub mod receipt;

use db::{Tx, on};
use domain::clock::Moment;
use domain::ids::{ConsentId, LogId, PersonId, PictureId};

pub use by_picture::{Proof, Shown, given, of_picture, withdraw_all};
pub(crate) use by_picture::{allows_picture, end_by_house, holder, prove};
pub use deciding::{
    ConsentError, confirm, give, is_confirmable, leave, reference, whose, withdraw,
};
pub use editions::{Edition, Read};

use super::inventory::Purpose;
use super::restriction::Operation;
use crate::{Failure, Studio};

/// What is done only with consent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Optional {
    News,
    Personalisation,
    /// One picture is shown to everybody.
    Examples,
    /// One picture may teach a model, without its words.
    TrainingPictures,
    /// The words of one picture may go along with it.
    TrainingWords,
}

impl Optional {
    pub const ALL: [Self; 5] = [
        Self::News,
        Self::Personalisation,
        Self::Examples,
        Self::TrainingPictures,
        Self::TrainingWords,
    ];

    /// Whether it is agreed to picture by picture, and for no account as a whole.
    #[must_use]
    pub const fn is_by_picture(self) -> bool {
        match self {
            Self::News | Self::Personalisation => false,
            Self::Examples | Self::TrainingPictures | Self::TrainingWords => true,
        }
    }

    #[must_use]
    pub const fn purpose(self) -> Purpose {
        match self {
            Self::News => Purpose::News,
            Self::Personalisation => Purpose::Personalisation,
            Self::Examples => Purpose::Examples,
            Self::TrainingPictures => Purpose::TrainingPictures,
            Self::TrainingWords => Purpose::TrainingWords,
        }
    }

    /// What it is to somebody whose account is restricted.
    const fn operation(self) -> Operation {
        match self {
            Self::News => Operation::WriteOtherLetter,
            Self::Personalisation => Operation::Personalise,
            Self::Examples => Operation::ShowToOthers,
            Self::TrainingPictures | Self::TrainingWords => Operation::Teach,
        }
    }

    /// Whether a letter asks first, since a mailbox is meant that somebody else may read.
    #[must_use]
    pub const fn asks_by_letter(self) -> bool {
        match self {
            Self::News => true,
            Self::Personalisation
            | Self::Examples
            | Self::TrainingPictures
            | Self::TrainingWords => false,
        }
    }

    /// For addresses and forms.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.purpose().name()
    }

    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.name() == name)
    }
}

/// What a decision is about: a purpose, and one picture where it is agreed to picture by picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Subject {
    pub optional: Optional,
    pub picture: Option<PictureId>,
}

impl Subject {
    #[must_use]
    pub const fn picture(optional: Optional, picture: PictureId) -> Self {
        Self {
            optional,
            picture: Some(picture),
        }
    }

    /// Whether there is such a thing to agree to.
    const fn is_sound(self) -> bool {
        self.optional.is_by_picture() == self.picture.is_some()
    }
}

impl From<Optional> for Subject {
    fn from(optional: Optional) -> Self {
        Self {
            optional,
            picture: None,
        }
    }
}

/// Global Privacy Control: the header Sec-GPC, by which a browser objects to whatever is optional.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Signal {
    #[default]
    Absent,
    Objects,
}

/// A condition for rows whose `column` names a person with whose data this may be done now: their newest
/// decision says yes to the words of today, and their account is not restricted. A browser that objects is
/// heard before a yes that was said without that signal, and not before one that was said in spite of it.
#[must_use]
pub(crate) fn allows(optional: Optional, signal: Signal, column: &str) -> String {
    let (name, version) = (optional.name(), optional.edition().version);
    let despite = match signal {
        Signal::Absent => "",
        Signal::Objects => " AND newest.signal = 1",
    };
    let refused = optional.operation().is_refused_to(column);
    format!(
        "(EXISTS (SELECT 1 FROM consent newest WHERE newest.person_id = {column} AND \
         newest.purpose = '{name}' AND newest.decision = 'given' AND newest.version = {version}{despite} \
         AND NOT EXISTS (SELECT 1 FROM consent later WHERE later.person_id = newest.person_id AND \
         later.purpose = newest.purpose AND later.number > newest.number)) AND NOT ({refused}))"
    )
}

/// Whether it may be done now, where no statement of its own does it.
pub async fn is_allowed(
    studio: &Studio,
    person: PersonId,
    optional: Optional,
    signal: Signal,
) -> Result<bool, Failure> {
    let condition = allows(optional, signal, "person.id");
    let statement = format!("SELECT COUNT(*) FROM person WHERE id = $1 AND {condition}");
    let mut tx = studio.db.read().await?;
    let allowed: i64 = on!(tx, conn => {
        sqlx::query_scalar(sqlx::AssertSqlSafe(statement))
            .bind(person.to_string())
            .fetch_one(conn)
            .await
    })?;
    Ok(allowed > 0)
}

/// What somebody decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Yes, and a letter asks whether it was them.
    Asked,
    Given,
    Withdrawn,
}

impl Verdict {
    pub const ALL: [Self; 3] = [Self::Asked, Self::Given, Self::Withdrawn];

    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Asked => "asked",
            Self::Given => "given",
            Self::Withdrawn => "withdrawn",
        }
    }
}

/// How a decision came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Means {
    Session,
    Key,
    /// Whoever sits at the machine of a house without accounts.
    Local,
    /// The link in the letter that asks.
    Mailbox,
    /// The link in a letter with news, or the button of a mail program.
    Letter,
    /// An operator read a letter of theirs. Withdraws, and never gives.
    Operator,
    /// Those who run the house, of their own accord. Withdraws, and never gives.
    House,
}

impl Means {
    pub const ALL: [Self; 7] = [
        Self::Session,
        Self::Key,
        Self::Local,
        Self::Mailbox,
        Self::Letter,
        Self::Operator,
        Self::House,
    ];

    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Session => "session",
            Self::Key => "key",
            Self::Local => "local",
            Self::Mailbox => "mailbox",
            Self::Letter => "letter",
            Self::Operator => "operator",
            Self::House => "house",
        }
    }
}

/// One decision, as it was taken.
#[derive(Clone, Debug)]
pub struct Decision {
    pub id: ConsentId,
    pub optional: Optional,
    /// Which one, where it is about one picture.
    pub picture: Option<PictureId>,
    number: i64,
    pub verdict: Verdict,
    pub version: i64,
    pub text_sha256: String,
    pub means: Means,
    /// What the browser said then.
    pub signal: Signal,
    pub log: LogId,
    pub when: Moment,
}

impl Decision {
    fn is_of_today(&self) -> bool {
        self.version == self.optional.edition().version
    }
}

/// How it stands with one purpose.
#[derive(Clone, Debug)]
pub struct Standing {
    pub optional: Optional,
    pub newest: Option<Decision>,
}

impl Standing {
    /// What holds; an answer to other words than those of today is none.
    #[must_use]
    pub fn verdict(&self) -> Option<Verdict> {
        let newest = self.newest.as_ref()?;
        match newest.verdict {
            Verdict::Withdrawn => Some(Verdict::Withdrawn),
            said => newest.is_of_today().then_some(said),
        }
    }

    /// Somebody agreed to words that are not asked any more.
    #[must_use]
    pub fn is_outdated(&self) -> bool {
        self.newest.is_some() && self.verdict().is_none()
    }

    /// Whether a browser that objects is heard: nobody said yes in spite of it.
    #[must_use]
    pub fn yields_to(&self, signal: Signal) -> bool {
        let despite = |one: &Decision| one.signal == Signal::Objects;
        signal == Signal::Objects && !self.newest.as_ref().is_some_and(despite)
    }
}

#[derive(sqlx::FromRow)]
struct Row {
    id: String,
    purpose: String,
    number: i64,
    decision: String,
    version: i64,
    text_sha256: String,
    means: String,
    signal: i64,
    log_id: String,
    created_ms: i64,
    picture_id: Option<String>,
}

impl Row {
    /// `None` where it is about something that is not done any more.
    fn read(self) -> Result<Option<Decision>, Failure> {
        let bad = |what: &str| Failure::Row(format!("{what} of {}", self.id));
        let Some(optional) = Optional::named(&self.purpose) else {
            return Ok(None);
        };
        let mut verdicts = Verdict::ALL.into_iter();
        let mut means = Means::ALL.into_iter();
        Ok(Some(Decision {
            id: self.id.parse().map_err(|_| bad("id"))?,
            optional,
            picture: self
                .picture_id
                .as_deref()
                .map(str::parse)
                .transpose()
                .map_err(|_| bad("picture"))?,
            number: self.number,
            verdict: verdicts
                .find(|one| one.name() == self.decision)
                .ok_or_else(|| bad("decision"))?,
            version: self.version,
            means: means
                .find(|one| one.name() == self.means)
                .ok_or_else(|| bad("means"))?,
            signal: match self.signal {
                0 => Signal::Absent,
                _ => Signal::Objects,
            },
            log: self.log_id.parse().map_err(|_| bad("entry"))?,
            when: Moment::from_millis(self.created_ms),
            text_sha256: self.text_sha256,
        }))
    }
}

/// Decisions of one person that are shown, the newest first.
const MAX_SHOWN: i64 = 100;

/// What somebody decided, the newest first.
pub async fn history(studio: &Studio, person: PersonId) -> Result<Vec<Decision>, Failure> {
    let mut tx = studio.db.read().await?;
    let rows: Vec<Row> = on!(tx, conn => {
        sqlx::query_as("SELECT * FROM consent WHERE person_id = $1 ORDER BY created_ms DESC, number DESC LIMIT $2")
            .bind(person.to_string())
            .bind(MAX_SHOWN)
            .fetch_all(conn)
            .await
    })?;
    let read: Result<Vec<Option<Decision>>, Failure> = rows.into_iter().map(Row::read).collect();
    Ok(read?.into_iter().flatten().collect())
}

/// How it stands with each purpose that is about the account as a whole.
pub async fn of_person(studio: &Studio, person: PersonId) -> Result<Vec<Standing>, Failure> {
    let mut tx = studio.db.read().await?;
    let mut all = Vec::new();
    for optional in Optional::ALL {
        if optional.is_by_picture() {
            continue;
        }
        let newest = newest(&mut tx, person, optional.into()).await?;
        all.push(Standing { optional, newest });
    }
    Ok(all)
}

async fn newest(
    tx: &mut Tx,
    person: PersonId,
    about: Subject,
) -> Result<Option<Decision>, Failure> {
    let picture = about.picture.map(|id| id.to_string());
    let row: Option<Row> = on!(tx, conn => {
        sqlx::query_as(
            "SELECT * FROM consent WHERE person_id = $1 AND purpose = $2 \
             AND COALESCE(picture_id, '') = $3 ORDER BY number DESC LIMIT 1",
        )
        .bind(person.to_string())
        .bind(about.optional.name())
        .bind(picture.unwrap_or_default())
        .fetch_optional(conn)
        .await
    })?;
    match row {
        Some(row) => row.read(),
        None => Ok(None),
    }
}

/// One decision of somebody.
pub async fn find(
    studio: &Studio,
    person: PersonId,
    id: ConsentId,
) -> Result<Option<Decision>, Failure> {
    let mut tx = studio.db.read().await?;
    let row: Option<Row> = on!(tx, conn => {
        sqlx::query_as("SELECT * FROM consent WHERE id = $1 AND person_id = $2")
            .bind(id.to_string())
            .bind(person.to_string())
            .fetch_optional(conn)
            .await
    })?;
    match row {
        Some(row) => row.read(),
        None => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::privacy::inventory::Basis;

    #[test]
    fn promise_cns_05_whatever_rests_on_consent_has_words_to_agree_to_and_nothing_else_has() {
        for purpose in Purpose::ALL {
            let optional = Optional::named(purpose.name());
            let rests_on_it = purpose.basis() == Basis::Consent;
            assert_eq!(optional.is_some(), rests_on_it, "{purpose:?}");
            if let Some(optional) = optional {
                assert_eq!(optional.purpose(), purpose);
                assert!(optional.edition().says.len() > 100);
            }
        }
    }
}
