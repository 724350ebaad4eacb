//! Keys with which programs ask for a person: each with scopes and a spending limit of its own,
//! shown once, kept as a hash.

use db::on;
use domain::clock::Moment;
use domain::credits::Credits;
use domain::ids::{KeyId, PersonId};
use domain::role::{Role, Scopes};
use domain::secret::ApiKey;
use serde_json::json;

use super::{Known, Means, hash, idle, minute_of, person, standing};
use crate::jobs;
use crate::privacy::inventory::Purpose;
use crate::privacy::keys::{Place, Reading, shredding};
use crate::privacy::log::{self, Event, Kind};
use crate::privacy::restriction;
use crate::{Failure, Studio};

pub const MAX_KEYS: u32 = 50;
pub const MAX_NAME_CHARS: usize = 60;
const NAME: Place = Place::new("api_key", "name");
const READ_NAME: Reading = NAME.read_for(Purpose::Account);

/// A key as its person sees it.
#[derive(Clone, Debug)]
pub struct Key {
    pub id: KeyId,
    pub name: String,
    /// Its first letters.
    pub beginning: String,
    pub scopes: Scopes,
    pub limit_credits: Option<i64>,
    /// Credits that it was charged, or that are held for it.
    pub spent: Credits,
    pub created: Moment,
    /// To the minute.
    pub used: Option<Moment>,
}

/// A key to be made.
#[derive(Clone, Debug)]
pub struct NewKey {
    pub name: String,
    pub scopes: Scopes,
    pub limit_credits: Option<i64>,
}

#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    #[error("Give the key a name of 1 to {MAX_NAME_CHARS} characters, to know it again by.")]
    Name,
    #[error("Choose at least one thing that the key may do; admin is for operators only.")]
    Scopes,
    #[error("The spending limit must be a whole number of credits, 0 or more.")]
    Limit,
    #[error("You have {MAX_KEYS} keys already. Revoke one that you no longer use.")]
    TooMany,
    #[error(transparent)]
    Failure(#[from] Failure),
}

failures!(KeyError);

/// Makes a key. This is the only time that it can be seen.
pub async fn make(
    studio: &Studio,
    person: PersonId,
    role: Role,
    new: &NewKey,
) -> Result<ApiKey, KeyError> {
    make_by(studio, person, role, new, None).await
}

/// Makes a key for somebody else. Whoever has it reads what it may, so their log says that it was made.
pub async fn make_for(
    studio: &Studio,
    person: PersonId,
    role: Role,
    new: &NewKey,
) -> Result<ApiKey, KeyError> {
    let event = Event {
        kind: Kind::KeyMade,
        person: Some(person),
        what: json!({ "scopes": new.scopes.to_string(), "by": "shell" }),
    };
    make_by(studio, person, role, new, Some(&event)).await
}

async fn make_by(
    studio: &Studio,
    person: PersonId,
    role: Role,
    new: &NewKey,
    event: Option<&Event>,
) -> Result<ApiKey, KeyError> {
    let name = new.name.trim();
    if name.is_empty()
        || name.chars().count() > MAX_NAME_CHARS
        || name.chars().any(char::is_control)
    {
        return Err(KeyError::Name);
    }
    if new.scopes.is_empty() || new.scopes.within(Scopes::of_role(role)) != new.scopes {
        return Err(KeyError::Scopes);
    }
    if new.limit_credits.is_some_and(|limit| limit < 0) {
        return Err(KeyError::Limit);
    }
    let cipher = studio.keys.of(person).await.map_err(Failure::from)?;
    let mut tx = studio.db.write().await?;
    if !person::stays(&mut tx, person).await? {
        return Err(Failure::Gone.into());
    }
    let live: i64 = on!(tx, conn => {
        sqlx::query_scalar("SELECT COUNT(*) FROM api_key WHERE person_id = $1 AND revoked_ms IS NULL")
            .bind(person.to_string())
            .fetch_one(conn)
            .await
    })?;
    if live >= i64::from(MAX_KEYS) {
        return Err(KeyError::TooMany);
    }
    let now = studio.clock.now();
    let key = ApiKey::new(&studio.randomness);
    let id = KeyId::new(now, &studio.randomness).to_string();
    let name = cipher.seal(NAME, &id, name);
    on!(tx, conn => {
        sqlx::query(
            "INSERT INTO api_key (id, person_id, name, beginning, token_hash, scopes, \
             limit_credits, created_ms) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        )
        .bind(&id)
        .bind(person.to_string())
        .bind(name.as_str())
        .bind(key.beginning())
        .bind(hash(key.token()))
        .bind(new.scopes.to_string())
        .bind(new.limit_credits)
        .bind(now.as_millis())
        .execute(conn)
        .await
        .map(|done| done.rows_affected())
    })?;
    if let Some(event) = event {
        log::note(studio, &mut tx, event).await?;
    }
    tx.commit().await?;
    Ok(key)
}

#[derive(sqlx::FromRow)]
struct KnownRow {
    id: String,
    person_id: String,
    role: String,
    mode: Option<String>,
    objects_ms: Option<i64>,
    scopes: String,
    limit_credits: Option<i64>,
    used_ms: Option<i64>,
}

/// Whose key it is; `None` where it was revoked or never was.
pub async fn find(studio: &Studio, key: &ApiKey) -> Result<Option<Known>, Failure> {
    let mut tx = studio.db.read().await?;
    let row: Option<KnownRow> = on!(tx, conn => {
        sqlx::query_as(
            "SELECT api_key.*, person.role, restriction.mode, objection.since_ms AS objects_ms \
             FROM api_key JOIN person ON person.id = api_key.person_id \
             LEFT JOIN restriction ON restriction.person_id = api_key.person_id \
             LEFT JOIN objection ON objection.person_id = api_key.person_id \
             AND objection.purpose = 'analytics' \
             WHERE token_hash = $1 AND revoked_ms IS NULL",
        )
        .bind(hash(key.token()))
        .fetch_optional(conn)
        .await
    })?;
    drop(tx);
    let Some(row) = row else { return Ok(None) };
    let bad = |what: &str| Failure::Row(format!("{what} of {}", row.id));
    let role: Role = row.role.parse().map_err(|_| bad("role"))?;
    let scopes: Scopes = row.scopes.parse().map_err(|_| bad("scopes"))?;
    let known = Known {
        person: row.person_id.parse().map_err(|_| bad("person"))?,
        role,
        // Who is no operator any more has no operator's keys either.
        scopes: scopes.within(Scopes::of_role(role)),
        mode: restriction::read(row.mode.as_deref())?,
        may_be_counted: row.objects_ms.is_none(),
        means: Means::Key {
            id: row.id.parse().map_err(|_| bad("id"))?,
            limit_credits: row.limit_credits,
        },
        // A key is a person's.
        acting: None,
    };
    let minute = minute_of(studio.clock.now()).as_millis();
    if row.used_ms.is_none_or(|used| used < minute) {
        let mut tx = studio.db.write().await?;
        on!(tx, conn => {
            sqlx::query("UPDATE api_key SET used_ms = $2 WHERE id = $1")
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
struct KeyRow {
    id: String,
    name: String,
    beginning: String,
    scopes: String,
    limit_credits: Option<i64>,
    spent: Option<i64>,
    created_ms: i64,
    used_ms: Option<i64>,
}

/// A person's keys that were not revoked, the newest first.
pub async fn list(studio: &Studio, person: PersonId) -> Result<Vec<Key>, Failure> {
    let mut tx = studio.db.read().await?;
    let rows: Vec<KeyRow> = on!(tx, conn => {
        sqlx::query_as(
            "SELECT api_key.*, key_spending.spent FROM api_key \
             LEFT JOIN key_spending ON key_spending.key_id = api_key.id \
             WHERE person_id = $1 AND revoked_ms IS NULL ORDER BY id DESC",
        )
        .bind(person.to_string())
        .fetch_all(conn)
        .await
    })?;
    drop(tx);
    let cipher = studio.keys.of(person).await?;
    rows.into_iter()
        .map(|row| {
            let bad = |what: &str| Failure::Row(format!("{what} of {}", row.id));
            Ok(Key {
                id: row.id.parse().map_err(|_| bad("id"))?,
                scopes: row.scopes.parse().map_err(|_| bad("scopes"))?,
                name: cipher.open(READ_NAME, &row.id, &row.name)?.into_exposed(),
                beginning: row.beginning,
                limit_credits: row.limit_credits,
                spent: Credits::new(row.spent.unwrap_or(0)),
                created: Moment::from_millis(row.created_ms),
                used: row.used_ms.map(Moment::from_millis),
            })
        })
        .collect()
}

/// Revokes a key at once; `false` where the person has no such key. What it ordered and nobody has
/// paid for yet is cancelled, and so costs nothing.
pub async fn revoke(studio: &Studio, person: PersonId, id: KeyId) -> Result<bool, Failure> {
    let mut tx = studio.db.write().await?;
    let revoked = on!(tx, conn => {
        sqlx::query(
            "UPDATE api_key SET revoked_ms = $3 \
             WHERE id = $1 AND person_id = $2 AND revoked_ms IS NULL",
        )
        .bind(id.to_string())
        .bind(person.to_string())
        .bind(studio.clock.now().as_millis())
        .execute(conn)
        .await
        .map(|done| done.rows_affected())
    })?;
    let unpaid: Vec<String> = on!(tx, conn => {
        sqlx::query_scalar(
            "SELECT job_id FROM hold WHERE person_id = $1 AND key_id = $2 AND settled_ms IS NULL",
        )
        .bind(person.to_string())
        .bind(id.to_string())
        .fetch_all(conn)
        .await
    })?;
    standing::tell(&mut tx).await?;
    // So that no backup brings it back.
    shredding::note_object(&mut tx, &id.to_string()).await?;
    tx.commit().await?;
    shredding::carry_out(studio).await?;
    for job in unpaid {
        let job = job.parse().map_err(|_| Failure::Row("job id".to_owned()))?;
        jobs::cancel(studio, person, job).await?;
    }
    Ok(revoked > 0)
}
