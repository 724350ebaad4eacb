//! Objections (Art. 21 GDPR), purpose by purpose. What is done by somebody's interest is weighed here,
//! in words that everybody reads; whoever objects has that weighed again for themselves.

use db::{Tx, on};
use domain::clock::Moment;
use domain::ids::{PersonId, RequestId};
use serde_json::json;

use super::inventory::{Basis, Purpose};
use super::log::{self, Event, Kind};
use super::requests::{self, Asked, Identity, RequestError, State};
use crate::{Failure, Studio};

/// What follows from an objection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// It ends at once; nobody weighs anything.
    AtOnce,
    /// There may be compelling reasons against it: it is weighed as a request, with a clock.
    Weighed,
}

/// Why an interest outweighs that of the people whose data serves it.
#[derive(Clone, Copy, Debug)]
pub struct Balance {
    pub interest: &'static str,
    pub outweighs: &'static str,
    pub effect: Effect,
}

impl Purpose {
    /// The weighing of what rests on a legitimate interest; `None` for everything else.
    #[must_use]
    pub const fn balance(self) -> Option<Balance> {
        match self {
            Self::Security => Some(Balance {
                interest: "Accounts, pictures and credits of everybody stay with who they belong to, and the service stays up.",
                outweighs: "Without it, whoever guesses a password has everything of yours. It takes little: when and with which family of browser you signed in, hashes by which a browser is known, and tries of passwords. Network addresses stay in memory and are never written down. Nothing of it is used for anything else, and it goes by itself.",
                effect: Effect::Weighed,
            }),
            Self::Operation => Some(Balance {
                interest: "What fails is found and mended.",
                outweighs: "The log holds numbers of requests and orders, kinds of addresses, and errors in the program's own words. It holds no name, address, word or picture, and nobody is looked for in it.",
                effect: Effect::Weighed,
            }),
            Self::Analytics => Some(Balance {
                interest: "Those who run the house see how many come, what they use and where it fails them.",
                outweighs: "It needs no cookie and no script, and nobody else hears of it. Who was here already today is known by a hash of the network address and of what the browser says of itself, with a random number: both are in the program's memory alone and are forgotten at midnight (UTC). What was counted is written down when the day is over or the program ends, as sums of ten people at least. Whoever objects, or whose browser sends the signal Sec-GPC, is not counted at all.",
                effect: Effect::AtOnce,
            }),
            Self::Drawing
            | Self::Account
            | Self::Credits
            | Self::Mail
            | Self::Fairness
            | Self::Repeats
            | Self::AgeGate
            | Self::Erasure
            | Self::Access
            | Self::Law
            | Self::Rights
            | Self::Preferences
            | Self::Consents
            | Self::News
            | Self::Personalisation
            | Self::Examples
            | Self::TrainingPictures
            | Self::TrainingWords
            | Self::Oversight
            | Self::Support
            | Self::Disclosure
            | Self::Billing
            | Self::Breaches => None,
        }
    }

    /// What somebody can do instead where there is nothing to object to.
    #[must_use]
    pub const fn instead(self) -> &'static str {
        match self.basis() {
            Basis::LegitimateInterest => "You can object.",
            Basis::Consent => {
                "It is done only if you said yes. You can take that back at any time, on the page /account/choices."
            }
            Basis::Contract => {
                "It is what you asked the service for. To end it, restrict or delete your account; to go elsewhere with it, take it with you."
            }
            Basis::LegalObligation(_) => {
                "The law asks for it. You can see it, correct it, and complain about it."
            }
        }
    }

    /// For addresses and forms.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Drawing => "drawing",
            Self::Account => "account",
            Self::Credits => "credits",
            Self::Mail => "mail",
            Self::Fairness => "fairness",
            Self::Repeats => "repeats",
            Self::Security => "security",
            Self::Operation => "operation",
            Self::AgeGate => "age_gate",
            Self::Erasure => "erasure",
            Self::Access => "access",
            Self::Law => "law",
            Self::Rights => "rights",
            Self::Preferences => "preferences",
            Self::Consents => "consents",
            Self::News => "news",
            Self::Personalisation => "personalisation",
            Self::Examples => "examples",
            Self::TrainingPictures => "training_pictures",
            Self::TrainingWords => "training_words",
            Self::Analytics => "analytics",
            Self::Oversight => "oversight",
            Self::Disclosure => "disclosure",
            Self::Breaches => "breaches",
            Self::Billing => "billing",
            Self::Support => "support",
        }
    }

    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|purpose| purpose.name() == name)
    }
}

/// Something that a person objects to.
#[derive(Clone, Debug)]
pub struct Objection {
    pub purpose: Purpose,
    /// Where it is weighed; `None` where nothing is to be weighed.
    pub request: Option<RequestId>,
    /// How that stands.
    pub state: State,
    pub since: Moment,
}

#[derive(Debug, thiserror::Error)]
pub enum ObjectError {
    #[error("There is nothing to object to here. {0}")]
    NotByInterest(&'static str),
    #[error("You object to that already.")]
    Already,
    #[error("You don't object to that.")]
    None,
    #[error(transparent)]
    Request(#[from] RequestError),
    #[error(transparent)]
    Failure(#[from] Failure),
}

failures!(ObjectError);

/// Objects to a purpose, and says why, where somebody wants to. It holds at once, or is weighed as a
/// request.
pub async fn object(
    studio: &Studio,
    person: PersonId,
    purpose: Purpose,
    why: &str,
    identity: Identity,
) -> Result<Option<RequestId>, ObjectError> {
    let Some(balance) = purpose.balance() else {
        return Err(ObjectError::NotByInterest(purpose.instead()));
    };
    let words = format!("To {}.\n\n{}", purpose.words(), why.trim());
    let mut tx = studio.db.write().await?;
    // Locks the person's row, so that nobody objects twice.
    let request = match balance.effect {
        Effect::AtOnce => None,
        Effect::Weighed => {
            Some(requests::open_in(studio, &mut tx, person, Asked::Object, &words, identity).await?)
        }
    };
    let written = on!(tx, conn => {
        sqlx::query(
            "INSERT INTO objection (person_id, purpose, request_id, since_ms) \
             VALUES ($1, $2, $3, $4) ON CONFLICT (person_id, purpose) DO NOTHING",
        )
        .bind(person.to_string())
        .bind(purpose.name())
        .bind(request.map_or_else(String::new, |request| request.to_string()))
        .bind(studio.clock.now().as_millis())
        .execute(conn)
        .await
        .map(|done| done.rows_affected())
    })?;
    if written == 0 {
        return Err(ObjectError::Already);
    }
    let event = Event {
        kind: Kind::Objected,
        person: Some(person),
        what: json!({ "purpose": purpose.name(), "request": request }),
    };
    log::note(studio, &mut tx, &event).await?;
    tx.commit().await?;
    Ok(request)
}

/// Takes an objection back, and with it the request in which it is weighed, where that is still open.
pub async fn withdraw(
    studio: &Studio,
    person: PersonId,
    purpose: Purpose,
) -> Result<(), ObjectError> {
    let objections = of_person(studio, person).await?;
    let mut known = objections.into_iter();
    let known = known.find(|one| one.purpose == purpose);
    let known = known.ok_or(ObjectError::None)?;
    if let (State::Open, Some(request)) = (known.state, known.request) {
        // The objection goes with it.
        return Ok(requests::withdraw(studio, person, request).await?);
    }
    let mut tx = studio.db.write().await?;
    let ended = on!(tx, conn => {
        sqlx::query("DELETE FROM objection WHERE person_id = $1 AND purpose = $2")
            .bind(person.to_string())
            .bind(purpose.name())
            .execute(conn)
            .await
            .map(|done| done.rows_affected())
    })?;
    if ended > 0 {
        note_end(studio, &mut tx, person, purpose.name(), known.request).await?;
    }
    tx.commit().await?;
    Ok(())
}

/// Ends the objection that is weighed in a request, where there is one.
pub(super) async fn end_with(
    studio: &Studio,
    tx: &mut Tx,
    person: PersonId,
    request: RequestId,
) -> Result<(), Failure> {
    let purpose: Option<String> = on!(tx, conn => {
        sqlx::query_scalar("DELETE FROM objection WHERE request_id = $1 RETURNING purpose")
            .bind(request.to_string())
            .fetch_optional(conn)
            .await
    })?;
    if let Some(purpose) = purpose {
        note_end(studio, tx, person, &purpose, Some(request)).await?;
    }
    Ok(())
}

async fn note_end(
    studio: &Studio,
    tx: &mut Tx,
    person: PersonId,
    purpose: &str,
    request: Option<RequestId>,
) -> Result<(), Failure> {
    let event = Event {
        kind: Kind::ObjectionWithdrawn,
        person: Some(person),
        what: json!({ "purpose": purpose, "request": request }),
    };
    log::note(studio, tx, &event).await?;
    Ok(())
}

/// Whether somebody objects to being counted.
pub(crate) async fn objects_to_counting(tx: &mut Tx, person: PersonId) -> Result<bool, Failure> {
    let since: Option<i64> = on!(tx, conn => {
        sqlx::query_scalar(
            "SELECT since_ms FROM objection WHERE person_id = $1 AND purpose = 'analytics'",
        )
        .bind(person.to_string())
        .fetch_optional(conn)
        .await
    })?;
    Ok(since.is_some())
}

/// What a person objects to, in the order of the purposes.
pub async fn of_person(studio: &Studio, person: PersonId) -> Result<Vec<Objection>, Failure> {
    let mut tx = studio.db.read().await?;
    let rows: Vec<(String, String, Option<String>, i64)> = on!(tx, conn => {
        sqlx::query_as(
            "SELECT objection.purpose, objection.request_id, request.state, objection.since_ms \
             FROM objection LEFT JOIN request ON request.id = objection.request_id \
             WHERE objection.person_id = $1",
        )
        .bind(person.to_string())
        .fetch_all(conn)
        .await
    })?;
    let mut found = Vec::new();
    for (purpose, request, state, since_ms) in rows {
        let bad = || Failure::Row(format!("objection of {request}"));
        let mut states = State::ALL.into_iter();
        found.push(Objection {
            // A purpose that is gone needs no objection.
            purpose: match Purpose::named(&purpose) {
                Some(purpose) => purpose,
                None => continue,
            },
            request: match request.as_str() {
                "" => None,
                id => Some(id.parse().map_err(|_| bad())?),
            },
            state: match state {
                Some(state) => states.find(|known| known.name() == state).ok_or_else(bad)?,
                // So long ago that the request is gone.
                None => State::Answered,
            },
            since: Moment::from_millis(since_ms),
        });
    }
    found.sort_by_key(|one| one.purpose);
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn promise_pur_01_each_legitimate_interest_is_weighed_in_words_and_can_be_objected_to() {
        for purpose in Purpose::ALL {
            let is_interest = purpose.basis() == Basis::LegitimateInterest;
            assert_eq!(purpose.balance().is_some(), is_interest, "{purpose:?}");
            assert_eq!(Purpose::named(purpose.name()), Some(purpose));
            if let Some(balance) = purpose.balance() {
                assert!(balance.interest.len() > 20 && balance.outweighs.len() > 80);
            }
        }
    }
}
