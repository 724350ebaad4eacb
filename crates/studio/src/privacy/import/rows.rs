//! The rows of an archive, read and checked before anything is written: whoever signed it, it may say
//! anything.

use std::collections::HashMap;
use std::io::{Read, Seek};

use domain::ids::{JobId, PictureId};
use domain::picture::Size;
use domain::prompt::Prompt;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::ImportError;
use crate::jobs::State;
use crate::pictures::rights;
use crate::privacy::access::is_handed_out;
use crate::privacy::export::verify::{Archive, Entry, MAX_TEXT_BYTES};
use crate::privacy::inventory::{TABLES, Table};

/// Pictures of one order. More than any house lets anybody order at once.
const MAX_PICTURES_OF_JOB: usize = 100;
/// A picture's file.
const MAX_PICTURE_BYTES: u64 = 64 << 20;

pub(super) type Row = Map<String, Value>;

/// An order with its pictures.
#[derive(Clone, Debug)]
pub(super) struct Order {
    pub(super) id: JobId,
    pub(super) count: u32,
    pub(super) row: Row,
    pub(super) pictures: Vec<Drawn>,
}

#[derive(Clone, Debug)]
pub(super) struct Drawn {
    pub(super) id: PictureId,
    pub(super) ordinal: u32,
    pub(super) row: Row,
    /// Its file in the archive.
    pub(super) file: Entry,
}

#[derive(Deserialize)]
struct File {
    rows: Vec<Row>,
}

pub(super) fn table(name: &str) -> Option<&'static Table> {
    TABLES.iter().find(|table| table.name == name)
}

/// Every row of a table, with the columns that this house knows.
pub(super) fn of<R: Read + Seek>(
    archive: &mut Archive<R>,
    name: &'static str,
) -> Result<Vec<Row>, ImportError> {
    let file = format!("data/{name}.json");
    let bytes = archive.file(&file, MAX_TEXT_BYTES)?;
    let bytes = bytes.ok_or_else(|| ImportError::wrong(&file, "it is missing"))?;
    let read: File = serde_json::from_slice(&bytes)
        .map_err(|error| ImportError::wrong(&file, error.to_string()))?;
    let known: Vec<&str> = table(name)
        .into_iter()
        .flat_map(|table| table.columns)
        .filter(|column| is_handed_out(column))
        .map(|column| column.name)
        .collect();
    for row in &read.rows {
        if let Some(column) = row.keys().find(|column| !known.contains(&column.as_str())) {
            let says = format!("it has {column:?}, which this version does not know; update first");
            return Err(ImportError::wrong(&file, says));
        }
    }
    Ok(read.rows)
}

/// The orders that are over, with their pictures; and how many are left out, since they were not.
pub(super) fn orders<R: Read + Seek>(
    archive: &mut Archive<R>,
) -> Result<(Vec<Order>, usize), ImportError> {
    let jobs = of(archive, "job")?;
    let all = jobs.len();
    let mut orders = Vec::new();
    let mut places = HashMap::new();
    for row in jobs {
        let id = text(&row, "id").and_then(|id| id.parse::<JobId>().ok());
        let wrong = |what: &str| {
            let which = id.map_or_else(|| "an order".to_owned(), |id| id.to_string());
            ImportError::wrong("data/job.json", format!("{what} of {which} is none"))
        };
        let id = id.ok_or_else(|| wrong("the id"))?;
        let state: State = text(&row, "state")
            .and_then(|state| state.parse().ok())
            .ok_or_else(|| wrong("the state"))?;
        if !state.is_final() {
            continue;
        }
        check(&row).map_err(wrong)?;
        let count = number(&row, "count").ok_or_else(|| wrong("the count"))?;
        if count as usize > MAX_PICTURES_OF_JOB || places.insert(id, orders.len()).is_some() {
            return Err(wrong("the count or the id"));
        }
        orders.push(Order {
            id,
            count,
            row,
            pictures: Vec::new(),
        });
    }
    let files: HashMap<String, Entry> = archive
        .manifest
        .entries
        .iter()
        .map(|entry| (entry.name.clone(), entry.clone()))
        .collect();
    for row in of(archive, "picture")? {
        let id = text(&row, "id").and_then(|id| id.parse::<PictureId>().ok());
        let wrong = |what: &str| {
            let which = id.map_or_else(|| "a picture".to_owned(), |id| id.to_string());
            ImportError::wrong("data/picture.json", format!("{what} of {which} is none"))
        };
        let id = id.ok_or_else(|| wrong("the id"))?;
        let job: Option<JobId> = text(&row, "job_id").and_then(|job| job.parse().ok());
        let place = job.and_then(|job| places.get(&job));
        let order = &mut orders[*place.ok_or_else(|| wrong("the order"))?];
        let ordinal = number(&row, "ordinal").filter(|ordinal| *ordinal < order.count);
        let ordinal = ordinal.ok_or_else(|| wrong("the place in its order"))?;
        if order.pictures.iter().any(|other| other.ordinal == ordinal) {
            return Err(wrong("the place in its order"));
        }
        for name in ["seed", "width", "height", "size_bytes"] {
            number(&row, name).ok_or_else(|| wrong(name))?;
        }
        let edition = text(&row, "rights").unwrap_or_default();
        if !rights::EDITIONS.iter().any(|one| one.edition == edition) {
            return Err(wrong("the edition of the rights"));
        }
        let file = files.get(&format!("pictures/{id}.png"));
        let file = file.filter(|file| {
            Some(file.sha256.as_str()) == text(&row, "sha256")
                && Some(file.size) == row.get("size_bytes").and_then(Value::as_u64)
        });
        let file = file.ok_or_else(|| wrong("the file"))?.clone();
        order.pictures.push(Drawn {
            id,
            ordinal,
            row,
            file,
        });
    }
    let left = all - orders.len();
    Ok((orders, left))
}

/// What a row of an order must say so that this house can show it.
fn check(row: &Row) -> Result<(), &'static str> {
    for name in ["width", "height", "steps", "seed", "previews", "attempts"] {
        number(row, name).ok_or(name)?;
    }
    let guidance = row.get("guidance").and_then(Value::as_f64);
    guidance
        .filter(|guidance| guidance.is_finite())
        .ok_or("guidance")?;
    // What was drawn in private has no words any more.
    let is_private = number(row, "private") == Some(1);
    let prompt = |name| text(row, name).is_some_and(|words| Prompt::new(words).is_ok());
    let is_forgotten = |name| is_private && text(row, name) == Some("");
    if !prompt("prompt") && !is_forgotten("prompt") {
        return Err("prompt");
    }
    if row
        .get("negative_prompt")
        .is_some_and(|words| !words.is_null())
        && !prompt("negative_prompt")
    {
        return Err("negative_prompt");
    }
    let ancestors = text(row, "ancestors").unwrap_or_default();
    if serde_json::from_str::<Vec<u32>>(ancestors).is_err() {
        return Err("ancestors");
    }
    let unknown = text(row, "unknown_words").unwrap_or_default();
    if serde_json::from_str::<Vec<String>>(unknown).is_err() && !is_forgotten("unknown_words") {
        return Err("unknown_words");
    }
    text(row, "model").map(|_| ()).ok_or("model")
}

pub(super) fn text<'a>(row: &'a Row, name: &str) -> Option<&'a str> {
    row.get(name)?.as_str()
}

pub(super) fn number(row: &Row, name: &str) -> Option<u32> {
    u32::try_from(row.get(name)?.as_u64()?).ok()
}

/// The bytes of a picture, which are one of the size that its row says.
pub(super) fn picture<R: Read + Seek>(
    archive: &mut Archive<R>,
    drawn: &Drawn,
) -> Result<Vec<u8>, ImportError> {
    let bytes = archive.read(&drawn.file, MAX_PICTURE_BYTES)?;
    Ok(bytes)
}

/// Whether the file is a picture that this house can show.
pub(super) fn look<R: Read + Seek>(
    archive: &mut Archive<R>,
    drawn: &Drawn,
) -> Result<(), ImportError> {
    let bytes = picture(archive, drawn)?;
    let wrong = |says: String| ImportError::wrong(&drawn.file.name, says);
    if !bytes.starts_with(b"\x89PNG") {
        return Err(wrong("it is no PNG".to_owned()));
    }
    let pixels = imaging::decode(&bytes).map_err(|error| wrong(error.to_string()))?;
    let said = Size {
        width: number(&drawn.row, "width").unwrap_or(0),
        height: number(&drawn.row, "height").unwrap_or(0),
    };
    if pixels.size() == said {
        Ok(())
    } else {
        Err(wrong("it has another size than its row says".to_owned()))
    }
}
