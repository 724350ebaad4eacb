//! Sessions: a browser that holds a token of 256 bits, of which only the hash is kept. A session
//! ends when it was idle for long, when it is old, when its person says so, and when what the
//! person may do changes.

use db::{Tx, on};
use domain::clock::Moment;
use domain::ids::{PasskeyId, PersonId, SessionId};
use domain::personal::Personal;
use domain::role::{Role, Scopes};
use domain::secret::Token;
use serde_json::json;

use super::{Known, Means, hash, idle, minute_of, passkey, person, standing};
use crate::organisations::Acting;
use crate::privacy::log::{self, Event, Kind};
use crate::privacy::restriction;
use crate::{Failure, Studio};

const DAY_MS: i64 = 24 * 60 * 60 * 1_000;
pub const IDLE_END_MS: i64 = 14 * DAY_MS;
pub const ABSOLUTE_END_MS: i64 = 90 * DAY_MS;
/// For how long a proof of who one is holds for sensitive changes.
pub const CONFIRMED_FOR_MS: i64 = 15 * 60 * 1_000;

/// A session as its person sees it.
#[derive(Clone, Debug)]
pub struct Session {
    pub id: SessionId,
    /// As in "Firefox on Linux"; nothing more is kept of the browser.
    pub family: String,
    pub by: By,
    pub created: Moment,
    /// To the minute.
    pub used: Moment,
}

/// By what a session was begun.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum By {
    Password,
    /// Without a name where the passkey was removed since.
    Passkey(Option<String>),
}

/// Begins a session, and gives its token, which is not kept.
pub(crate) async fn begin(
    studio: &Studio,
    tx: &mut Tx,
    person: PersonId,
    family: &str,
    passkey: Option<PasskeyId>,
) -> Result<Token, Failure> {
    if !person::stays(tx, person).await? {
        return Err(Failure::Gone);
    }
    let now = studio.clock.now();
    let token = Token::new(&studio.randomness);
    on!(tx, conn => {
        sqlx::query(
            "INSERT INTO session (id, person_id, token_hash, family, created_ms, used_ms, \
             confirmed_ms, ends_ms, passkey_id) VALUES ($1, $2, $3, $4, $5, $6, $5, $7, $8)",
        )
        .bind(SessionId::new(now, &studio.randomness).to_string())
        .bind(person.to_string())
        .bind(hash(&token))
        .bind(family)
        .bind(now.as_millis())
        .bind(minute_of(now).as_millis())
        .bind(now.plus_millis(ABSOLUTE_END_MS).as_millis())
        .bind(passkey.map(|id| id.to_string()))
        .execute(conn)
        .await
        .map(|done| done.rows_affected())
    })?;
    idle::used(studio, tx, &person.to_string()).await?;
    let means = match passkey {
        Some(_) => "passkey",
        None => "password",
    };
    let event = Event {
        kind: Kind::SignedIn,
        person: Some(person),
        what: json!({ "browser": family, "by": means }),
    };
    log::note(studio, tx, &event).await?;
    Ok(token)
}

#[derive(sqlx::FromRow)]
struct KnownRow {
    id: String,
    person_id: String,
    role: String,
    mode: Option<String>,
    objects_ms: Option<i64>,
    used_ms: i64,
    confirmed_ms: i64,
    ends_ms: i64,
    organisation_id: Option<String>,
    member_role: Option<String>,
}

/// Whose session a token is; `None` where it has ended or never was.
pub async fn find(studio: &Studio, token: &Token) -> Result<Option<Known>, Failure> {
    let mut tx = studio.db.read().await?;
    let row: Option<KnownRow> = on!(tx, conn => {
        sqlx::query_as(
            "SELECT session.*, person.role, restriction.mode, objection.since_ms AS objects_ms, \
             member.organisation_id, member.role AS member_role \
             FROM session JOIN person ON person.id = session.person_id \
             LEFT JOIN organisation_member AS member ON member.organisation_id = session.acts_for \
             AND member.person_id = session.person_id \
             LEFT JOIN restriction ON restriction.person_id = session.person_id \
             LEFT JOIN objection ON objection.person_id = session.person_id \
             AND objection.purpose = 'analytics' WHERE token_hash = $1",
        )
        .bind(hash(token))
        .fetch_optional(conn)
        .await
    })?;
    drop(tx);
    let now = studio.clock.now();
    let Some(row) = row else { return Ok(None) };
    if now.as_millis() >= row.ends_ms || now.as_millis() >= row.used_ms + IDLE_END_MS {
        return Ok(None);
    }
    let bad = |what: &str| Failure::Row(format!("{what} of {}", row.id));
    let role: Role = row.role.parse().map_err(|_| bad("role"))?;
    let known = Known {
        person: row.person_id.parse().map_err(|_| bad("person"))?,
        role,
        scopes: Scopes::of_role(role),
        mode: restriction::read(row.mode.as_deref())?,
        may_be_counted: row.objects_ms.is_none(),
        means: Means::Session {
            id: row.id.parse().map_err(|_| bad("id"))?,
            confirmed: Moment::from_millis(row.confirmed_ms),
        },
        acting: match (&row.organisation_id, &row.member_role) {
            (Some(organisation), Some(role)) => Some(Acting {
                organisation: organisation.parse().map_err(|_| bad("organisation"))?,
                role: role.parse().map_err(|_| bad("role in an organisation"))?,
            }),
            _ => None,
        },
    };
    let minute = minute_of(now).as_millis();
    if row.used_ms < minute {
        let mut tx = studio.db.write().await?;
        on!(tx, conn => {
            sqlx::query("UPDATE session SET used_ms = $2 WHERE id = $1 AND used_ms < $2")
                .bind(&row.id)
                .bind(minute)
                .execute(conn)
                .await
                .map(|done| done.rows_affected())
        })?;
        idle::used(studio, &mut tx, &row.person_id).await?;
        tx.commit().await?;
    }
    Ok(Some(known))
}

#[derive(sqlx::FromRow)]
struct SessionRow {
    id: String,
    family: String,
    passkey_id: Option<String>,
    passkey: Option<String>,
    created_ms: i64,
    used_ms: i64,
}

/// A person's sessions that have not ended, the newest first.
pub async fn list(studio: &Studio, person: PersonId) -> Result<Vec<Session>, Failure> {
    let now = studio.clock.now().as_millis();
    let mut tx = studio.db.read().await?;
    let rows: Vec<SessionRow> = on!(tx, conn => {
        sqlx::query_as(
            "SELECT session.id, session.family, session.passkey_id, passkey.name AS passkey, \
             session.created_ms, session.used_ms FROM session \
             LEFT JOIN passkey ON passkey.id = session.passkey_id \
             WHERE session.person_id = $1 AND session.ends_ms > $2 AND session.used_ms > $3 \
             ORDER BY session.id DESC LIMIT 100",
        )
        .bind(person.to_string())
        .bind(now)
        .bind(now - IDLE_END_MS)
        .fetch_all(conn)
        .await
    })?;
    drop(tx);
    let cipher = studio.keys.of(person).await?;
    rows.into_iter()
        .map(|row| {
            Ok(Session {
                id: row
                    .id
                    .parse()
                    .map_err(|_| Failure::Row("session id".to_owned()))?,
                family: row.family,
                by: match row.passkey_id {
                    Some(id) => {
                        let name =
                            cipher.open_some(passkey::READ_NAME, &id, row.passkey.as_deref())?;
                        By::Passkey(name.map(Personal::into_exposed))
                    }
                    None => By::Password,
                },
                created: Moment::from_millis(row.created_ms),
                used: Moment::from_millis(row.used_ms),
            })
        })
        .collect()
}

/// Ends one session of a person; `false` where the person has no such session.
pub async fn end(studio: &Studio, person: PersonId, id: SessionId) -> Result<bool, Failure> {
    let mut tx = studio.db.write().await?;
    let ended = on!(tx, conn => {
        sqlx::query("DELETE FROM session WHERE id = $1 AND person_id = $2")
            .bind(id.to_string())
            .bind(person.to_string())
            .execute(conn)
            .await
            .map(|done| done.rows_affected())
    })?;
    standing::tell(&mut tx).await?;
    tx.commit().await?;
    Ok(ended > 0)
}

/// Ends all sessions of a person.
pub(crate) async fn end_all(tx: &mut Tx, person: PersonId) -> Result<(), Failure> {
    on!(tx, conn => {
        sqlx::query("DELETE FROM session WHERE person_id = $1")
            .bind(person.to_string())
            .execute(conn)
            .await
            .map(|done| done.rows_affected())
    })?;
    standing::tell(tx).await
}

/// Ends all sessions of a person but one.
pub async fn end_others(studio: &Studio, person: PersonId, kept: SessionId) -> Result<(), Failure> {
    let mut tx = studio.db.write().await?;
    end_others_in(&mut tx, person, kept).await?;
    tx.commit().await?;
    Ok(())
}

pub(crate) async fn end_others_in(
    tx: &mut Tx,
    person: PersonId,
    kept: SessionId,
) -> Result<(), Failure> {
    on!(tx, conn => {
        sqlx::query("DELETE FROM session WHERE person_id = $1 AND id <> $2")
            .bind(person.to_string())
            .bind(kept.to_string())
            .execute(conn)
            .await
            .map(|done| done.rows_affected())
    })?;
    standing::tell(tx).await
}

/// Ends the sessions that were begun with a passkey, but for one.
pub(crate) async fn end_of_passkey(
    tx: &mut Tx,
    passkey: PasskeyId,
    kept: SessionId,
) -> Result<(), Failure> {
    on!(tx, conn => {
        sqlx::query("DELETE FROM session WHERE passkey_id = $1 AND id <> $2")
            .bind(passkey.to_string())
            .bind(kept.to_string())
            .execute(conn)
            .await
            .map(|done| done.rows_affected())
    })?;
    standing::tell(tx).await
}

/// A new token for a session whose person has proven again who they are, or may do more or less
/// from now on. The former token is worth nothing any more.
pub(crate) async fn rotate(studio: &Studio, tx: &mut Tx, id: SessionId) -> Result<Token, Failure> {
    let token = Token::new(&studio.randomness);
    on!(tx, conn => {
        sqlx::query("UPDATE session SET token_hash = $2, confirmed_ms = $3 WHERE id = $1")
            .bind(id.to_string())
            .bind(hash(&token))
            .bind(studio.clock.now().as_millis())
            .execute(conn)
            .await
            .map(|done| done.rows_affected())
    })?;
    Ok(token)
}
