//! Is brought in: an archive of another house, or of this one, read into an account here and sealed by
//! its keys.
//!
//! Everything is checked before anything is written. Then each order comes in one transaction with its
//! pictures, so that an import that was broken off goes on when it is called again, and a second one
//! changes nothing.

mod fates;
mod rows;

use std::io::{Read, Seek};

use db::{Tx, on};
use domain::ids::{JobId, PersonId, PictureId};
use domain::personal::Address;
use domain::role::Role;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use self::rows::{Drawn, Order, Row, text};
use super::export::verify::{Archive, BadExport};
use super::inventory::{Stored, Table};
use super::keeping::{self, Keep};
use super::keys::{ObjectKeys, Place, shredding};
use super::log::{self, Event, Kind};
use crate::accounts::person::{self, Age, NewAccount};
use crate::accounts::portrait::{self, PortraitError};
use crate::accounts::profile::{self, ProfileError};
use crate::{Failure, Studio, failpoint, pictures};

pub use fates::{Fate, fates};

/// Whose the archive becomes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Into {
    /// Somebody's who has an account here.
    Person(PersonId),
    /// Of a new account for the address that stands in the archive. Somebody vouches for it.
    New,
}

#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    #[error(transparent)]
    Bad(#[from] BadExport),
    #[error("{file} can't be taken in: {says}. Nothing was changed.")]
    Wrong { file: String, says: String },
    #[error(
        "The archive is of somebody without an account, so it says no address. Name an account of this \
         house with --into ADDRESS. Nothing was changed."
    )]
    NoAddress,
    #[error(
        "Somebody has an account with the address of the archive already. To bring it into that one, \
         name it with --into ADDRESS. Nothing was changed."
    )]
    AddressTaken,
    #[error("There is no such account, or it is being deleted. Nothing was changed.")]
    NoAccount,
    #[error(transparent)]
    Failure(#[from] Failure),
}

failures!(ImportError);

impl From<super::keys::KeyError> for ImportError {
    fn from(error: super::keys::KeyError) -> Self {
        Self::Failure(error.into())
    }
}

impl ImportError {
    fn wrong(file: &str, says: impl core::convert::Into<String>) -> Self {
        Self::Wrong {
            file: file.to_owned(),
            says: says.into(),
        }
    }
}

/// What was brought in.
#[derive(Clone, Debug)]
pub struct Report {
    pub person: PersonId,
    pub orders: usize,
    pub pictures: usize,
    /// Orders that were here already.
    pub known: usize,
    /// Orders that were not over.
    pub unfinished: usize,
    /// Orders whose numbers others have here, so that they got new ones.
    pub renumbered: usize,
}

/// Brings an archive in. It is read while this thread waits: for a shell.
pub async fn bring<R: Read + Seek>(
    studio: &Studio,
    archive: &mut Archive<R>,
    into: Into,
) -> Result<Report, ImportError> {
    archive.check()?;
    let account = rows::of(archive, "account")?.into_iter().next();
    let (orders, unfinished) = rows::orders(archive)?;
    for drawn in orders.iter().flat_map(|order| &order.pictures) {
        rows::look(archive, drawn)?;
    }
    // What is about to be shredded must not hit what comes in under the same numbers.
    shredding::carry_out(studio).await?;
    let person = target(studio, archive, account.as_ref(), into).await?;
    let mut report = Report {
        person,
        orders: 0,
        pictures: 0,
        known: 0,
        unfinished,
        renumbered: 0,
    };
    add_choice(studio, archive, person).await?;
    for order in orders {
        add_order(studio, archive, &order, &mut report).await?;
    }
    if let Some(account) = &account {
        add_profile(studio, archive, person, account).await?;
    }
    if report.orders > 0 {
        let event = Event {
            kind: Kind::BroughtIn,
            person: Some(person),
            what: json!({
                "export": archive.manifest.export,
                "orders": report.orders,
                "pictures": report.pictures,
            }),
        };
        log::note_alone(studio, &event).await?;
    }
    Ok(report)
}

/// Who gets it; a new account is made where that is wanted and there is none of this very import.
async fn target<R>(
    studio: &Studio,
    archive: &Archive<R>,
    account: Option<&Row>,
    into: Into,
) -> Result<PersonId, ImportError> {
    if let Into::Person(person) = into {
        return match is_open(studio, person).await? {
            true => Ok(person),
            false => Err(ImportError::NoAccount),
        };
    }
    let address = account.and_then(|account| text(account, "address"));
    let address = Address::new(address.ok_or(ImportError::NoAddress)?)
        .map_err(|bad| ImportError::wrong("data/account.json", bad.to_string()))?;
    let former: Option<PersonId> = archive.manifest.person.parse().ok();
    if let Some(there) = person::by_address(studio, &address).await? {
        // An import that was broken off, or a second one.
        return match former == Some(there.person) {
            true => Ok(there.person),
            false => Err(ImportError::AddressTaken),
        };
    }
    let id = match former {
        Some(id) if is_free(studio, id).await? => id,
        _ => PersonId::new(studio.clock.now(), &studio.randomness),
    };
    studio.keys.make_person(id).await?;
    let mut tx = studio.db.write().await?;
    person::insert(&mut tx, id, Role::Person).await?;
    let new = NewAccount {
        person: id,
        address: &address,
        password: None,
        age: account.and_then(age),
    };
    if !person::open_account(studio, &mut tx, &new).await? {
        return Err(ImportError::AddressTaken);
    }
    tx.commit().await?;
    studio.gate.has_accounts_now();
    Ok(id)
}

/// What the other house knows of the person's age.
fn age(account: &Row) -> Option<Age> {
    Some(Age {
        is_over: rows::number(account, "of_age")? == 1,
        threshold: rows::number(account, "age_threshold")?,
    })
}

async fn is_open(studio: &Studio, person: PersonId) -> Result<bool, Failure> {
    let mut tx = studio.db.read().await?;
    let erasure: Option<Option<String>> = on!(tx, conn => {
        sqlx::query_scalar("SELECT erasure_id FROM person WHERE id = $1")
            .bind(person.to_string())
            .fetch_optional(conn)
            .await
    })?;
    Ok(erasure == Some(None))
}

/// Whether nobody here has or had this number: books and receipts go on under that of who is gone.
async fn is_free(studio: &Studio, person: PersonId) -> Result<bool, Failure> {
    let mut tx = studio.db.read().await?;
    let mut rows = 0;
    for statement in [
        "SELECT COUNT(*) FROM person WHERE id = $1",
        "SELECT COUNT(*) FROM entry WHERE person_id = $1",
        "SELECT COUNT(*) FROM erasure WHERE person_id = $1",
    ] {
        let found: i64 = on!(tx, conn => {
            sqlx::query_scalar(statement)
                .bind(person.to_string())
                .fetch_one(conn)
                .await
        })?;
        rows += found;
    }
    drop(tx);
    Ok(rows == 0 && studio.keys.count_of(person).await? == 0)
}

/// How long what is drawn is kept, where nothing was chosen here.
async fn add_choice<R: Read + Seek>(
    studio: &Studio,
    archive: &mut Archive<R>,
    person: PersonId,
) -> Result<(), ImportError> {
    let row = rows::of(archive, "person")?.into_iter().next();
    let kept_ms = row.and_then(|row| row.get("kept_ms")?.as_i64());
    if let Some(kept_ms) = kept_ms
        && keeping::of(studio, person).await? == Keep::UntilDeleted
    {
        let keep = Keep::seconds(kept_ms.div_euclid(1_000))
            .map_err(|bad| ImportError::wrong("data/person.json", bad.to_string()))?;
        keeping::choose(studio, person, keep).await?;
    }
    Ok(())
}

/// The names and the portrait, where there are none yet.
async fn add_profile<R: Read + Seek>(
    studio: &Studio,
    archive: &mut Archive<R>,
    person: PersonId,
    account: &Row,
) -> Result<(), ImportError> {
    let Some(here) = person::find(studio, person).await? else {
        return Ok(());
    };
    let name = |name| text(account, name).unwrap_or_default().to_owned();
    let own = here.username.map(|username| username.expose().to_owned());
    let username = own.clone().unwrap_or_else(|| name("username"));
    let display_name = here.display_name.map(|name| name.expose().to_owned());
    let display_name = display_name.unwrap_or_else(|| name("display_name"));
    match profile::set(studio, person, &username, &display_name).await {
        Err(ProfileError::UsernameTaken) => {
            let own = own.unwrap_or_default();
            profile::set(studio, person, &own, &display_name).await
        }
        set => set,
    }
    .map_err(|error| match error {
        ProfileError::Failure(failure) => failure.into(),
        bad => ImportError::wrong("data/account.json", bad.to_string()),
    })?;
    if here.portrait.is_none()
        && let Some(bytes) = archive.file("portrait.webp", portrait::MAX_BYTES as u64)?
    {
        portrait::set(studio, person, bytes)
            .await
            .map_err(|error| match error {
                PortraitError::Failure(failure) => failure.into(),
                bad => ImportError::wrong("portrait.webp", bad.to_string()),
            })?;
    }
    Ok(())
}

/// One order with its pictures: the files first, then all rows at once.
async fn add_order<R: Read + Seek>(
    studio: &Studio,
    archive: &mut Archive<R>,
    order: &Order,
    report: &mut Report,
) -> Result<(), ImportError> {
    let person = report.person;
    let id = match owner_of_job(studio, order.id, person).await? {
        None => order.id,
        Some(owner) if owner == person => {
            report.known += 1;
            return Ok(());
        }
        Some(_) => {
            let other = JobId::of(order.id.made(), renumbered(person, &order.id.to_string()));
            if owner_of_job(studio, other, person).await?.is_some() {
                report.known += 1;
                return Ok(());
            }
            report.renumbered += 1;
            other
        }
    };
    let keys = studio.keys.make_job(person, id, order.count).await?;
    let mut drawn = Vec::new();
    for picture in &order.pictures {
        let bytes = rows::picture(archive, picture)?;
        let other = owner_of_picture(studio, picture.id).await?.is_some();
        let new = if other {
            PictureId::of(
                picture.id.made(),
                renumbered(person, &picture.id.to_string()),
            )
        } else {
            picture.id
        };
        let blob = pictures::put_file(studio, &keys, new, picture.ordinal, &bytes).await?;
        drawn.push((new, blob, picture));
    }
    failpoint::here("import-files-stored");
    let mut tx = studio.db.write().await?;
    insert_order(&mut tx, (person, id), order, &keys).await?;
    for (new, blob, picture) in &drawn {
        insert_picture(&mut tx, (person, id), (*new, blob), picture).await?;
    }
    tx.commit().await?;
    failpoint::here("import-order-committed");
    report.orders += 1;
    report.pictures += drawn.len();
    Ok(())
}

async fn insert_order(
    tx: &mut Tx,
    (person, id): (PersonId, JobId),
    order: &Order,
    keys: &ObjectKeys,
) -> Result<(), ImportError> {
    let mut row = order.row.clone();
    row.insert("id".to_owned(), json!(id));
    row.insert("person_id".to_owned(), json!(person));
    // Nobody here draws it.
    for nobody in ["worker", "lease_until_ms"] {
        row.insert(nobody.to_owned(), Value::Null);
    }
    insert(tx, "job", &row, Some((keys, &id.to_string()))).await
}

async fn insert_picture(
    tx: &mut Tx,
    (person, job): (PersonId, JobId),
    (id, blob): (PictureId, &str),
    picture: &Drawn,
) -> Result<(), ImportError> {
    let mut row = picture.row.clone();
    row.insert("id".to_owned(), json!(id));
    row.insert("job_id".to_owned(), json!(job));
    row.insert("person_id".to_owned(), json!(person));
    row.insert("blob".to_owned(), json!(blob));
    insert(tx, "picture", &row, None).await
}

/// Writes a row as it stands in an archive, what is sealed here sealed again.
async fn insert(
    tx: &mut Tx,
    name: &'static str,
    row: &Row,
    keys: Option<(&ObjectKeys, &str)>,
) -> Result<(), ImportError> {
    let file = format!("data/{name}.json");
    let table: &Table = rows::table(name).ok_or_else(|| ImportError::wrong(&file, "no table"))?;
    let columns: Vec<_> = table
        .columns
        .iter()
        .filter_map(|column| Some((column, row.get(column.name)?)))
        // Which has no type of its own; what is left out is null as well.
        .filter(|(_, value)| !value.is_null())
        .collect();
    let names: Vec<&str> = columns.iter().map(|(column, _)| column.name).collect();
    let places: Vec<String> = (1..=names.len()).map(|n| format!("${n}")).collect();
    let statement = format!(
        "INSERT INTO {name} ({}) VALUES ({})",
        names.join(", "),
        places.join(", ")
    );
    let mut values = Vec::new();
    for (column, value) in columns {
        let sealed = match (column.stored, keys, value) {
            (Stored::SealedByObject, Some((keys, row)), Value::String(words))
                if !words.is_empty() =>
            {
                let place = Place::new(name, column.name);
                let sealed = keys.words()?.seal(place, row, words);
                Value::from(sealed.as_str())
            }
            _ => value.clone(),
        };
        values.push(sealed);
    }
    on!(tx, conn => {
        let mut query = sqlx::query(sqlx::AssertSqlSafe(statement));
        for value in &values {
            query = match value {
                Value::Number(number) if number.is_f64() => query.bind(number.as_f64()),
                Value::Number(number) => query.bind(number.as_i64()),
                Value::String(words) => query.bind(words),
                other => query.bind(other.to_string()),
            };
        }
        query.execute(conn).await.map(|done| done.rows_affected())
    })
    .map_err(Failure::from)?;
    Ok(())
}

/// Whose an order is; also where there are only keys of it, which somebody else is about to use.
async fn owner_of_job(
    studio: &Studio,
    id: JobId,
    person: PersonId,
) -> Result<Option<PersonId>, Failure> {
    let mut tx = studio.db.read().await?;
    let row: Option<String> = on!(tx, conn => {
        sqlx::query_scalar("SELECT person_id FROM job WHERE id = $1")
            .bind(id.to_string())
            .fetch_optional(conn)
            .await
    })?;
    drop(tx);
    if let Some(owner) = row {
        return read_person(&owner).map(Some);
    }
    let keys = studio.keys.owner(&id.to_string()).await?;
    let owner = keys.as_deref().map(read_person).transpose()?;
    // Those of an import that was broken off are used again.
    Ok(owner.filter(|owner| *owner != person))
}

fn read_person(id: &str) -> Result<PersonId, Failure> {
    id.parse()
        .map_err(|_| Failure::Row(format!("person {id:?}")))
}

async fn owner_of_picture(studio: &Studio, id: PictureId) -> Result<Option<PersonId>, Failure> {
    let mut tx = studio.db.read().await?;
    let row: Option<String> = on!(tx, conn => {
        sqlx::query_scalar("SELECT person_id FROM picture WHERE id = $1")
            .bind(id.to_string())
            .fetch_optional(conn)
            .await
    })?;
    row.as_deref().map(read_person).transpose()
}

/// The same number each time, so that a second import finds what the first has brought.
fn renumbered(person: PersonId, id: &str) -> u128 {
    let hash: [u8; 32] = Sha256::digest(format!("import|{person}|{id}")).into();
    let mut bits = [0; 16];
    bits.copy_from_slice(&hash[..16]);
    u128::from_be_bytes(bits)
}
