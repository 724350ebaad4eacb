//! Credits that a person is given: at the welcome, or by an operator with a reason and, if the
//! operator says so, an end.

use std::time::Duration;

use db::{Tx, on};
use domain::clock::Moment;
use domain::credits::Credits;
use domain::ids::{GrantId, PersonId};
use domain::personal::Address;
use serde_json::json;

use super::ledger::{self, Kind, Movement};
use crate::accounts::person;
use crate::jobs::worker::Stop;
use crate::privacy::inventory::Purpose;
use crate::privacy::keys::{Cipher, KeyError, Place, Reading};
use crate::privacy::log::{self, Event};
use crate::privacy::looking::{self, Staff, View};
use crate::{Failure, Studio};

/// People whose ended grants are taken back in one go.
const PEOPLE_AT_ONCE: i64 = 100;
const BETWEEN_SWEEPS: Duration = Duration::from_secs(600);
const MAX_REASON_CHARS: usize = 200;
const REASON: Place = Place::new("credit_grant", "reason");
pub(super) const READ_REASON: Reading = REASON.read_for(Purpose::Credits);

/// Who gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Giver {
    /// The house, once, to everyone who comes.
    Welcome,
    /// An operator; without an account of their own where it was done in the shell.
    Operator(Option<PersonId>),
    /// A member of the organisation that gets them.
    Member,
}

#[derive(Clone, Debug)]
pub struct NewGrant {
    /// The same grant again changes nothing.
    pub id: GrantId,
    pub credits: Credits,
    /// Shown to the person.
    pub reason: String,
    pub ends: Option<Moment>,
}

#[derive(Debug, thiserror::Error)]
pub enum GrantError {
    #[error(
        "Give a reason of 1 to {MAX_REASON_CHARS} characters on one line: the person reads it."
    )]
    Reason,
    #[error("Give 1 to {max} credits.", max = Credits::MAX_GRANT)]
    Credits,
    #[error("The end lies in the past. Choose a later day, or leave it empty.")]
    Ended,
    #[error(
        "This person has no credit account: nobody is metered here yet. Make an account first."
    )]
    NoAccount,
    #[error("This person would have more credits than can be counted. Give less.")]
    TooMuch,
    #[error(transparent)]
    Failure(#[from] Failure),
}

/// What is left of a grant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    pub id: GrantId,
    pub credits: Credits,
    pub remaining: Credits,
    pub is_welcome: bool,
    pub reason: String,
    pub created: Moment,
    pub ends: Option<Moment>,
}

/// Gives somebody accounts without anything in them; `false` where they have some.
pub(crate) async fn open_empty_account(tx: &mut Tx, person: PersonId) -> Result<bool, Failure> {
    let opened = on!(tx, conn => {
        sqlx::query(
            "INSERT INTO balance (person_id, available, held, entries) VALUES ($1, 0, 0, 0) \
             ON CONFLICT (person_id) DO NOTHING",
        )
        .bind(person.to_string())
        .execute(conn)
        .await
        .map(|done| done.rows_affected())
    })?;
    Ok(opened > 0)
}

/// Gives a new person accounts and the welcome grant, in the transaction that makes the person.
/// From then on everything that they order is metered. Once is enough; again changes nothing.
pub async fn open_account(studio: &Studio, tx: &mut Tx, person: PersonId) -> Result<(), Failure> {
    let is_new = open_empty_account(tx, person).await?;
    let welcome = studio.prices.welcome;
    if !is_new || welcome.credits.is_zero() {
        return Ok(());
    }
    let now = studio.clock.now();
    let grant = NewGrant {
        id: GrantId::new(now, &studio.randomness),
        credits: welcome.credits,
        reason: "Welcome".to_owned(),
        ends: welcome.lasts_ms.map(|lasts| now.plus_millis(lasts)),
    };
    write(
        studio,
        tx,
        person,
        &grant,
        Giver::Welcome,
        format!("welcome:{person}"),
    )
    .await?;
    Ok(())
}

/// Gives a person credits, in a transaction of its own.
pub async fn give(
    studio: &Studio,
    person: PersonId,
    grant: &NewGrant,
    by: Option<PersonId>,
) -> Result<(), GrantError> {
    let mut tx = studio.db.write().await.map_err(Failure::from)?;
    give_in(studio, &mut tx, person, grant, by).await?;
    tx.commit().await.map_err(Failure::from)?;
    Ok(())
}

/// Gives a person credits in a transaction that does more than that.
pub async fn give_in(
    studio: &Studio,
    tx: &mut Tx,
    person: PersonId,
    grant: &NewGrant,
    by: Option<PersonId>,
) -> Result<(), GrantError> {
    check(studio, grant)?;
    if !ledger::lock(tx, person).await? {
        return Err(GrantError::NoAccount);
    }
    if is_given(tx, grant.id).await? {
        return Ok(());
    }
    if after(tx, person, grant.credits).await? > Credits::MAX {
        return Err(GrantError::TooMuch);
    }
    let cause = format!("grant:{}", grant.id);
    write(studio, tx, person, grant, Giver::Operator(by), cause).await?;
    let event = Event {
        kind: log::Kind::CreditsGiven,
        person: Some(person),
        what: json!({ "credits": grant.credits, "by": if by.is_some() { "operator" } else { "shell" }, "reason": grant.reason.trim() }),
    };
    log::note(studio, tx, &event).await?;
    Ok(())
}

fn check(studio: &Studio, grant: &NewGrant) -> Result<(), GrantError> {
    let reason = grant.reason.trim();
    if reason.is_empty()
        || reason.chars().count() > MAX_REASON_CHARS
        || reason.contains(char::is_control)
    {
        return Err(GrantError::Reason);
    }
    if Credits::granted(grant.credits.get()).is_err() {
        return Err(GrantError::Credits);
    }
    if grant.ends.is_some_and(|ends| ends <= studio.clock.now()) {
        return Err(GrantError::Ended);
    }
    Ok(())
}

pub(super) async fn is_given(tx: &mut Tx, id: GrantId) -> Result<bool, Failure> {
    let known: Option<String> = on!(tx, conn => {
        sqlx::query_scalar("SELECT id FROM credit_grant WHERE id = $1")
            .bind(id.to_string())
            .fetch_optional(conn)
            .await
    })?;
    Ok(known.is_some())
}

/// Everything that a person would have.
pub(super) async fn after(
    tx: &mut Tx,
    person: PersonId,
    more: Credits,
) -> Result<Credits, Failure> {
    let has: i64 = on!(tx, conn => {
        sqlx::query_scalar("SELECT available + held FROM balance WHERE person_id = $1")
            .bind(person.to_string())
            .fetch_one(conn)
            .await
    })?;
    let sum = Credits::new(has).checked_add(more);
    sum.ok_or_else(|| Failure::Row(format!("balance of {person}")))
}

pub(super) async fn write(
    studio: &Studio,
    tx: &mut Tx,
    person: PersonId,
    grant: &NewGrant,
    giver: Giver,
    cause: String,
) -> Result<(), Failure> {
    let now = studio.clock.now();
    let (kind, by) = match giver {
        Giver::Welcome => ("welcome", None),
        Giver::Operator(by) => ("operator", by),
        Giver::Member => ("member", None),
    };
    let id = grant.id.to_string();
    let cipher = studio.keys.of(person).await?;
    let reason = cipher.seal(REASON, &id, grant.reason.trim());
    on!(tx, conn => {
        sqlx::query(
            "INSERT INTO credit_grant (id, person_id, credits, remaining, expired, kind, reason, \
             granted_by, created_ms, ends_ms) VALUES ($1, $2, $3, $3, 0, $4, $5, $6, $7, $8)",
        )
        .bind(&id)
        .bind(person.to_string())
        .bind(grant.credits.get())
        .bind(kind)
        .bind(reason.as_str())
        .bind(by.map(|id| id.to_string()))
        .bind(now.as_millis())
        .bind(grant.ends.map(Moment::as_millis))
        .execute(conn)
        .await
        .map(|done| done.rows_affected())
    })?;
    let movement = Movement {
        grant: Some(grant.id),
        available: grant.credits,
        issued: -grant.credits,
        ..Movement::new(Kind::Grant, cause)
    };
    ledger::post(studio, tx, person, now, &movement).await?;
    Ok(())
}

/// A grant as the operators see it.
#[derive(Clone, Debug)]
pub struct Gift {
    pub grant: Grant,
    /// Of the person who got it, while they have an account.
    pub address: Option<Address>,
}

/// What operators see of what they gave.
const GIFTS: View = View::of(&[
    (
        Purpose::Credits,
        &[
            Place::new("credit_grant", "credits"),
            Place::new("credit_grant", "remaining"),
            REASON,
            Place::new("credit_grant", "created_ms"),
            Place::new("credit_grant", "ends_ms"),
        ],
    ),
    (Purpose::Account, &[person::ADDRESS]),
]);

/// What operators gave, newest first.
pub async fn gifts(studio: &Studio, staff: &Staff, limit: u32) -> Result<Vec<Gift>, Failure> {
    let mut tx = studio.db.write().await?;
    let rows: Vec<GiftRow> = on!(tx, conn => {
        sqlx::query_as(
            "SELECT credit_grant.*, account.address FROM credit_grant \
             LEFT JOIN account ON account.person_id = credit_grant.person_id \
             WHERE credit_grant.kind = 'operator' ORDER BY credit_grant.id DESC LIMIT $1",
        )
        .bind(i64::from(limit))
        .fetch_all(conn)
        .await
    })?;
    let bad = |_| Failure::Row("person of a grant".to_owned());
    let whose = rows.iter().map(|row| row.grant.person_id.parse());
    let whose: Vec<PersonId> = whose.collect::<Result<_, _>>().map_err(bad)?;
    let seen = looking::look(studio, &mut tx, staff, GIFTS, whose.iter().copied()).await?;
    let (to_reason, to_address) = (seen.reading(REASON)?, seen.reading(person::ADDRESS)?);
    let mut gifts = Vec::new();
    for (GiftRow { grant, address }, person) in rows.into_iter().zip(whose) {
        gifts.push(match studio.keys.of(person).await {
            Ok(cipher) => Gift {
                address: match address {
                    Some(stored) => {
                        Some(person::read_address(&cipher, person, &stored, to_address)?)
                    }
                    None => None,
                },
                grant: grant.into_grant(Some(&cipher), to_reason)?,
            },
            // Whoever got it was forgotten; that it was given stays in the books.
            Err(KeyError::Gone(_)) => Gift {
                address: None,
                grant: grant.into_grant(None, to_reason)?,
            },
            Err(error) => return Err(error.into()),
        });
    }
    tx.commit().await?;
    Ok(gifts)
}

#[derive(sqlx::FromRow)]
struct GiftRow {
    #[sqlx(flatten)]
    grant: GrantRow,
    address: Option<String>,
}

/// A person's grants that have something left, those first that end first.
pub async fn open_grants(studio: &Studio, person: PersonId) -> Result<Vec<Grant>, Failure> {
    let mut tx = studio.db.read().await?;
    let rows: Vec<GrantRow> = on!(tx, conn => {
        sqlx::query_as(
            "SELECT * FROM credit_grant WHERE person_id = $1 AND remaining > 0 \
             ORDER BY ends_ms NULLS LAST, id",
        )
        .bind(person.to_string())
        .fetch_all(conn)
        .await
    })?;
    drop(tx);
    let cipher = studio.keys.of(person).await?;
    rows.into_iter()
        .map(|row| row.into_grant(Some(&cipher), READ_REASON))
        .collect()
}

#[derive(sqlx::FromRow)]
struct GrantRow {
    id: String,
    person_id: String,
    credits: i64,
    remaining: i64,
    kind: String,
    reason: String,
    created_ms: i64,
    ends_ms: Option<i64>,
}

impl GrantRow {
    /// Without a key, without its reason.
    fn into_grant(self, cipher: Option<&Cipher>, reading: Reading) -> Result<Grant, Failure> {
        let bad = |_| Failure::Row(format!("grant {}", self.id));
        let reason = match cipher {
            // Blanked where its person was forgotten.
            Some(cipher) if !self.reason.is_empty() => {
                cipher.open(reading, &self.id, &self.reason)?.into_exposed()
            }
            _ => String::new(),
        };
        Ok(Grant {
            id: self.id.parse().map_err(bad)?,
            credits: Credits::new(self.credits),
            remaining: Credits::new(self.remaining),
            is_welcome: self.kind == "welcome",
            reason,
            created: Moment::from_millis(self.created_ms),
            ends: self.ends_ms.map(Moment::from_millis),
        })
    }
}

pub(super) async fn any_ended(studio: &Studio, person: PersonId) -> Result<bool, Failure> {
    let mut tx = studio.db.read().await?;
    let ended: Option<String> = on!(tx, conn => {
        sqlx::query_scalar(
            "SELECT id FROM credit_grant \
             WHERE person_id = $1 AND remaining > 0 AND ends_ms <= $2 LIMIT 1",
        )
        .bind(person.to_string())
        .bind(studio.clock.now().as_millis())
        .fetch_optional(conn)
        .await
    })?;
    Ok(ended.is_some())
}

/// Takes back what is left of a person's grants that ended.
pub(super) async fn expire(studio: &Studio, person: PersonId) -> Result<(), Failure> {
    let mut tx = studio.db.write().await?;
    if !ledger::lock(&mut tx, person).await? {
        return Err(Failure::Row(format!("balance of {person}")));
    }
    expire_ended(studio, &mut tx, person, studio.clock.now()).await?;
    tx.commit().await?;
    Ok(())
}

/// The same within a transaction that holds the person's accounts. Credits that are held were
/// taken out of their grants, so an end does not reach them.
pub(super) async fn expire_ended(
    studio: &Studio,
    tx: &mut Tx,
    person: PersonId,
    now: Moment,
) -> Result<(), Failure> {
    let ended: Vec<(String, i64, i64)> = on!(tx, conn => {
        sqlx::query_as(
            "SELECT id, remaining, expired FROM credit_grant \
             WHERE person_id = $1 AND remaining > 0 AND ends_ms <= $2 ORDER BY ends_ms, id",
        )
        .bind(person.to_string())
        .bind(now.as_millis())
        .fetch_all(conn)
        .await
    })?;
    for (grant, remaining, expired) in ended {
        // A grant ends once more when a job gives back what it had held beyond the end.
        let cause = format!("expiry:{grant}:{expired}");
        end(studio, tx, person, now, (&grant, remaining), cause).await?;
    }
    Ok(())
}

/// Ends what is left of one grant.
async fn end(
    studio: &Studio,
    tx: &mut Tx,
    person: PersonId,
    now: Moment,
    (grant, remaining): (&str, i64),
    cause: String,
) -> Result<(), Failure> {
    on!(tx, conn => {
        sqlx::query("UPDATE credit_grant SET remaining = 0, expired = expired + $2 WHERE id = $1")
            .bind(grant)
            .bind(remaining)
            .execute(conn)
            .await
            .map(|done| done.rows_affected())
    })?;
    let credits = Credits::new(remaining);
    let movement = Movement {
        grant: grant.parse().ok(),
        available: -credits,
        expired: credits,
        ..Movement::new(Kind::Expiry, cause)
    };
    if !ledger::post(studio, tx, person, now, &movement).await? {
        return Err(Failure::Row(format!("balance of {person}")));
    }
    Ok(())
}

/// Ends what is left of a person's credits, and their accounts with it: an entry for each grant, so
/// that the books add up. `None` where nothing was metered. Nothing may be held any more.
pub(crate) async fn close_account(
    studio: &Studio,
    tx: &mut Tx,
    person: PersonId,
) -> Result<Option<Credits>, Failure> {
    if !ledger::lock(tx, person).await? {
        return Ok(None);
    }
    let now = studio.clock.now();
    let left: Vec<(String, i64)> = on!(tx, conn => {
        sqlx::query_as(
            "SELECT id, remaining FROM credit_grant WHERE person_id = $1 AND remaining > 0 ORDER BY id",
        )
        .bind(person.to_string())
        .fetch_all(conn)
        .await
    })?;
    let mut ended = Credits::ZERO;
    for (grant, remaining) in left {
        let cause = format!("erasure:{grant}");
        end(studio, tx, person, now, (&grant, remaining), cause).await?;
        ended = ended
            .checked_add(Credits::new(remaining))
            .ok_or_else(|| Failure::Row(format!("balance of {person}")))?;
    }
    let closed = on!(tx, conn => {
        sqlx::query("DELETE FROM balance WHERE person_id = $1 AND available = 0 AND held = 0")
            .bind(person.to_string())
            .execute(conn)
            .await
            .map(|done| done.rows_affected())
    })?;
    if closed == 0 {
        return Err(Failure::Row(format!("balance of {person}")));
    }
    Ok(Some(ended))
}

/// What an operator gave who is gone was given by nobody.
pub(crate) async fn forget_giver(tx: &mut Tx, person: PersonId) -> Result<(), Failure> {
    on!(tx, conn => {
        sqlx::query("UPDATE credit_grant SET granted_by = NULL WHERE granted_by = $1")
            .bind(person.to_string())
            .execute(conn)
            .await
            .map(|done| done.rows_affected())
    })?;
    Ok(())
}

/// Takes back what is left of ended grants, every now and then, until told to stop. Who looks at
/// their credits or spends them has it done at once.
pub async fn keep_expiring(studio: Studio, stop: Stop) {
    while !stop.is_set() {
        if let Err(error) = expire_all(&studio).await {
            tracing::error!(%error, "grants that ended could not be taken back; trying again later");
        }
        tokio::select! {
            () = tokio::time::sleep(BETWEEN_SWEEPS) => {}
            () = stop.set() => {}
        }
    }
}

/// Takes back what is left of everybody's grants that ended, and gives the number of people.
pub async fn expire_all(studio: &Studio) -> Result<usize, Failure> {
    let mut people = 0;
    loop {
        let mut tx = studio.db.read().await?;
        let some: Vec<String> = on!(tx, conn => {
            sqlx::query_scalar(
                "SELECT DISTINCT person_id FROM credit_grant \
                 WHERE remaining > 0 AND ends_ms <= $1 LIMIT $2",
            )
            .bind(studio.clock.now().as_millis())
            .bind(PEOPLE_AT_ONCE)
            .fetch_all(conn)
            .await
        })?;
        drop(tx);
        if some.is_empty() {
            return Ok(people);
        }
        for id in &some {
            let person = id
                .parse()
                .map_err(|_| Failure::Row(format!("person {id}")))?;
            expire(studio, person).await?;
            people += 1;
        }
    }
}
