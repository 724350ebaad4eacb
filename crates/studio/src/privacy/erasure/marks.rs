//! What the house is searched for in the end, and the files that go: read while it can still be read,
//! and kept sealed, so that the list is no trace itself.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD as BASE64;
use db::{Tx, on};
use domain::ids::{ErasureId, PersonId};
use domain::randomness::Randomness;
use serde::{Deserialize, Serialize};
use sqlx::Row;

use super::plan::{Fate, table};
use super::steps::{Halt, Work};
use crate::accounts::portrait;
use crate::privacy::access::{opened, whose};
use crate::privacy::inventory::{Category, Column, Holds, Of, Purpose, Source, Stored, Table};
use crate::privacy::keys::{KeyError, Place, Reading};
use crate::{Failure, Studio, failpoint, pictures};

const SEAL: Place = Place::new("erasure", "seal");
const READ_SEAL: Reading = SEAL.read_for(Purpose::Erasure);
/// Rows that are read at once.
const ROWS_AT_ONCE: i64 = 500;
/// What is shorter is found everywhere by chance.
pub(super) const MIN_CHARS: usize = 8;
/// The same of words, which others may use as well.
const MIN_WORDS_CHARS: usize = 16;
const MIN_SECRET_CHARS: usize = 20;

/// Something by which the person, or what was theirs, could be found again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Mark {
    #[serde(rename = "k")]
    pub(super) kind: Kind,
    #[serde(rename = "t")]
    pub(super) text: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A number of this house.
    Id,
    /// A hash or a key.
    Secret,
    /// Of a picture: the same words with the same seed draw the same one for everybody.
    Checksum,
    Address,
    Name,
    /// A prompt.
    Words,
    /// The key of a file, which is to be deleted.
    File,
}

/// How far the list is written.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Cursor {
    /// Tables that are read.
    tables: Vec<String>,
    /// Rows that are read of the next one.
    offset: i64,
    pub(super) parts: i64,
}

/// Reads the next tables until all are read, so many rows in one transaction.
pub(super) async fn collect(studio: &Studio, work: &mut Work) -> Result<(), Halt> {
    loop {
        let Some(table) = unread(work) else {
            return Ok(());
        };
        let mut tx = studio.db.write().await?;
        if add(studio, &mut tx, work, table).await? < ROWS_AT_ONCE {
            work.done.marking.tables.push(table.name.to_owned());
            work.done.marking.offset = 0;
        } else {
            work.done.marking.offset += ROWS_AT_ONCE;
        }
        work.note(studio, &mut tx, work.state).await?;
        tx.commit().await?;
        failpoint::here("erasure-some-marked");
    }
}

/// A table whose rows go and are not all in the list.
fn unread(work: &Work) -> Option<&'static Table> {
    let mut parts = work.plan.that(Fate::Deleted);
    let part = parts
        .find(|part| !work.holds(&part.table) && !work.done.marking.tables.contains(&part.table))?;
    table(&part.table)
}

/// Reads the whole of some tables with few rows, which the same transaction then deletes.
pub(super) async fn collect_at_once(
    studio: &Studio,
    tx: &mut Tx,
    work: &mut Work,
    tables: &[&'static Table],
) -> Result<(), Halt> {
    for table in tables {
        while add(studio, tx, work, table).await? == ROWS_AT_ONCE {
            work.done.marking.offset += ROWS_AT_ONCE;
        }
        work.done.marking.offset = 0;
        work.done.marking.tables.push(table.name.to_owned());
    }
    Ok(())
}

/// Adds a page of a table to the list, and gives how many rows there were.
async fn add(
    studio: &Studio,
    tx: &mut Tx,
    work: &mut Work,
    table: &'static Table,
) -> Result<i64, Halt> {
    let (rows, marks) = read(studio, tx, table, work.person, work.done.marking.offset).await?;
    if !marks.is_empty() {
        append(studio, tx, work, &marks).await?;
    }
    Ok(rows)
}

/// Adds one part to the list.
pub(super) async fn append(
    studio: &Studio,
    tx: &mut Tx,
    work: &mut Work,
    marks: &[Mark],
) -> Result<(), Halt> {
    let part = work.done.marking.parts;
    let text = serde_json::to_vec(marks).map_err(|error| Failure::Row(error.to_string()))?;
    let sealed = seal(&studio.randomness, &work.seal, &context(work, part), text)?;
    on!(tx, conn => {
        sqlx::query("INSERT INTO erasure_mark (erasure_id, part, sealed) VALUES ($1, $2, $3)")
            .bind(work.id.to_string())
            .bind(part)
            .bind(sealed)
            .execute(conn)
            .await
            .map(|done| done.rows_affected())
    })?;
    work.done.marking.parts += 1;
    Ok(())
}

/// One part of the list.
pub(super) async fn part(tx: &mut Tx, work: &Work, part: i64) -> Result<Vec<Mark>, Failure> {
    let sealed: String = on!(tx, conn => {
        sqlx::query_scalar("SELECT sealed FROM erasure_mark WHERE erasure_id = $1 AND part = $2")
            .bind(work.id.to_string())
            .bind(part)
            .fetch_one(conn)
            .await
    })?;
    let text = open(&work.seal, &context(work, part), &sealed)?;
    serde_json::from_slice(&text).map_err(|error| Failure::Row(error.to_string()))
}

/// The whole list.
pub(super) async fn all(studio: &Studio, work: &Work) -> Result<Vec<Mark>, Failure> {
    let mut tx = studio.db.read().await?;
    let mut all = Vec::new();
    for number in 0..work.done.marking.parts {
        all.extend(part(&mut tx, work, number).await?);
    }
    Ok(all)
}

async fn read(
    studio: &Studio,
    tx: &mut Tx,
    table: &'static Table,
    person: PersonId,
    offset: i64,
) -> Result<(i64, Vec<Mark>), Failure> {
    let columns: Vec<&'static Column> = table.columns.iter().filter(|c| may_mark(c)).collect();
    if columns.is_empty() {
        return Ok((0, Vec::new()));
    }
    let casts: Vec<String> = columns
        .iter()
        .map(|column| format!("CAST({} AS TEXT)", column.name))
        .collect();
    let order: Vec<String> = (1..=columns.len() + 1).map(|n| n.to_string()).collect();
    let statement = format!(
        "SELECT {}, {} FROM {} WHERE {} ORDER BY {} LIMIT {ROWS_AT_ONCE} OFFSET $2",
        // By which it is known what is sealed in a row.
        table.columns[0].name,
        casts.join(", "),
        table.name,
        whose(table),
        order.join(", "),
    );
    let rows: Vec<(String, Vec<Option<String>>)> = on!(tx, conn => {
        let rows = sqlx::query(sqlx::AssertSqlSafe(statement))
            .bind(person.to_string())
            .bind(offset)
            .fetch_all(conn)
            .await?;
        rows.iter()
            .map(|row| {
                let values = (1..=columns.len()).map(|n| row.try_get(n));
                Ok((row.try_get(0)?, values.collect::<Result<_, _>>()?))
            })
            .collect::<Result<_, sqlx::Error>>()
    })?;
    let count = i64::try_from(rows.len()).unwrap_or(0);
    let mut marks = Vec::new();
    let rows = match opened(studio, person, table, &columns, &rows, Place::to_forget).await {
        // Erased before, and back with a backup: what was sealed can be read by nobody.
        Err(Failure::Keys(KeyError::Gone(_))) => unsealed(&columns, rows),
        read => read?,
    };
    for row in rows {
        for (column, value) in columns.iter().zip(row) {
            // Whose it is, and what forgets it.
            let is_owner = matches!(table.of, Of::Person(owner) if owner == column.name)
                || column.name == "erasure_id";
            if let Some(value) = value.filter(|_| !is_owner) {
                mark(column, &value, &mut marks);
            }
        }
    }
    Ok((count, marks))
}

/// Rows without what is sealed in them.
fn unsealed(
    columns: &[&'static Column],
    rows: Vec<(String, Vec<Option<String>>)>,
) -> Vec<Vec<Option<String>>> {
    let plain = |row: Vec<Option<String>>| {
        let values = row.into_iter().zip(columns);
        let values = values.map(|(value, column)| {
            value.filter(|_| matches!(column.stored, Stored::Plain | Stored::Blind(_)))
        });
        values.collect()
    };
    rows.into_iter().map(|(_, row)| plain(row)).collect()
}

/// Whether a column can hold something to look for.
fn may_mark(column: &Column) -> bool {
    match column.holds {
        Holds::Inner => true,
        Holds::Datum(datum) => matches!(
            datum.category,
            Category::Email
                | Category::Username
                | Category::Name
                | Category::Password
                | Category::Credentials
                | Category::UniqueId
                | Category::Content
                | Category::Picture
                | Category::Account
        ),
    }
}

fn mark(column: &Column, value: &str, marks: &mut Vec<Mark>) {
    let mut push = |kind, text: &str| {
        marks.push(Mark {
            kind,
            text: text.to_owned(),
        });
    };
    let chars = value.chars().count();
    if chars < MIN_CHARS {
        return;
    }
    if is_file(value) {
        return push(Kind::File, value);
    }
    if is_id(value) {
        return push(Kind::Id, value);
    }
    let Holds::Datum(datum) = column.holds else {
        return;
    };
    match datum.category {
        Category::Email => push(Kind::Address, value),
        Category::Username | Category::Name => push(Kind::Name, value),
        Category::Password | Category::Credentials | Category::Account => {
            // What a letter says, or what a link needs, is JSON: its strings are looked for.
            match serde_json::from_str(value) {
                Ok(serde_json::Value::Object(fields)) => {
                    let strings = fields.values().filter_map(|field| field.as_str());
                    let long = strings.filter(|text| text.len() >= MIN_SECRET_CHARS);
                    long.for_each(|text| push(Kind::Secret, text));
                }
                _ if datum.category != Category::Account => push(Kind::Secret, value),
                _ => {}
            }
        }
        Category::Content
            if datum.source == Source::Person
                && chars >= MIN_WORDS_CHARS
                && value.contains(char::is_whitespace) =>
        {
            push(Kind::Words, value);
        }
        Category::Content if is_checksum(value) => push(Kind::Checksum, value),
        _ => {}
    }
}

/// `pic_01ARZ3NDEKTSV4RRFFQ69G5FAV`
fn is_id(value: &str) -> bool {
    let base32 = |b: u8| b.is_ascii_digit() || b.is_ascii_uppercase();
    value.len() == 30
        && value.as_bytes()[3] == b'_'
        && value.bytes().take(3).all(|b| b.is_ascii_lowercase())
        && value.bytes().skip(4).all(base32)
}

fn is_checksum(value: &str) -> bool {
    value.len() == 64 && value.bytes().all(|b| b.is_ascii_hexdigit())
}

fn is_file(value: &str) -> bool {
    let folder = value.split_once('/').map(|(folder, _)| folder);
    matches!(folder, Some(pictures::FOLDER | portrait::FOLDER))
}

/// A key for the list of one erasure, as it is stored: sealed by the house.
pub(super) fn new_seal(studio: &Studio, erasure: ErasureId) -> String {
    let key = new_key(&studio.randomness);
    let sealed = studio.keys.nobody().seal(SEAL, &erasure.to_string(), &key);
    sealed.as_str().to_owned()
}

/// The key again.
pub(super) fn open_seal(
    studio: &Studio,
    erasure: ErasureId,
    stored: &str,
) -> Result<String, Failure> {
    let opened = studio
        .keys
        .nobody()
        .open(READ_SEAL, &erasure.to_string(), stored)?;
    Ok(opened.into_exposed())
}

fn new_key(randomness: &Randomness) -> String {
    let mut key = [0; 32];
    randomness.fill(&mut key);
    BASE64.encode(key)
}

/// A part can't stand in the place of another.
fn context(work: &Work, part: i64) -> String {
    format!("erasure_mark|{}|{part}", work.id)
}

fn seal(
    randomness: &Randomness,
    key: &str,
    context: &str,
    mut text: Vec<u8>,
) -> Result<String, Failure> {
    let mut nonce = [0; NONCE_LEN];
    randomness.fill(&mut nonce);
    let mut sealed = nonce.to_vec();
    cipher(key)?
        .seal_in_place_append_tag(
            Nonce::assume_unique_for_key(nonce),
            Aad::from(context),
            &mut text,
        )
        .map_err(|_| broken())?;
    sealed.extend(text);
    Ok(BASE64.encode(sealed))
}

fn open(key: &str, context: &str, sealed: &str) -> Result<Vec<u8>, Failure> {
    let bytes = BASE64.decode(sealed).map_err(|_| broken())?;
    let (nonce, text) = bytes.split_at_checked(NONCE_LEN).ok_or_else(broken)?;
    let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| broken())?;
    let mut text = text.to_vec();
    let opened = cipher(key)?
        .open_in_place(nonce, Aad::from(context), &mut text)
        .map_err(|_| broken())?;
    Ok(opened.to_vec())
}

fn cipher(key: &str) -> Result<LessSafeKey, Failure> {
    let key = BASE64.decode(key).map_err(|_| broken())?;
    let key = UnboundKey::new(&AES_256_GCM, &key).map_err(|_| broken())?;
    Ok(LessSafeKey::new(key))
}

fn broken() -> Failure {
    Failure::Row("the list of an erasure".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_opened_by_its_key_in_its_place_alone() {
        let randomness = Randomness::seeded(1);
        let key = new_key(&randomness);
        let sealed = seal(&randomness, &key, "here", b"ann@example.org".to_vec()).expect("seals");
        assert!(!sealed.contains("ann"));
        assert_eq!(
            open(&key, "here", &sealed).expect("opens"),
            b"ann@example.org"
        );
        assert!(open(&key, "there", &sealed).is_err());
        assert!(open(&new_key(&randomness), "here", &sealed).is_err());
    }

    #[test]
    fn numbers_and_files_are_told_from_words() {
        assert!(is_id("pic_01ARZ3NDEKTSV4RRFFQ69G5FAV"));
        for other in [
            "pic_01ARZ3NDEKTSV4RRFFQ69G5FA",
            "a red apple on a white table!!",
            "häuser",
        ] {
            assert!(!is_id(other), "{other}");
        }
        assert!(is_file("pictures/pic_01ARZ3NDEKTSV4RRFFQ69G5FAV.png"));
        assert!(!is_file("a red apple / a green apple"));
    }
}
