//! Composes an archive: every table, the log with its proofs, whose each picture is, the schema and the
//! notice; then the manifest of all of it.

use db::{Tx, on};
use domain::clock::Moment;
use domain::ids::{ExportId, PersonId, PictureId};
use domain::language::Language;
use futures::TryStreamExt;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::layout::Layout;
use super::parts::{Text, Writer};
use super::plan::{Item, What, picture_name};
use super::schema::{self, Types};
use super::{ExportError, manifest, tables};
use crate::accounts::portrait;
use crate::pictures::rights;
use crate::privacy::log::proof::{self, Proven};
use crate::privacy::log::{self, hex};
use crate::privacy::{access, notice, recipients};
use crate::{Failure, Studio, pictures};

const README: &str = "\
EVERYTHING THAT THIS HOUSE KEEPS OF YOU

manifest.json       what is in here, with the size and the SHA-256 of each file, signed by the house
data/*.json         every line that is kept of you, with what it is for, on which legal basis, where it
                    comes from, how long it is kept and who else got it; JSON-LD, as schema.json says
csv/*.csv           the same lines for spreadsheets; what would begin a formula has an apostrophe
pictures/           your pictures, as they were drawn
portrait.webp       your portrait, if you gave one
rights.json         whose each picture is
log.json            what was done to your data, each entry with the proof that it is in the house's log
checkpoint.txt      the log's size and root, signed: keep it, and the house can't rewrite its log
what-is-kept.txt    the notice, as it stands; what-is-kept.jsonld is the same for programs
schema.json         JSON Schema of the JSON in here

What you sign in with is left out: it would only help a thief. Anybody can check this archive without
asking the house: pinhole verify export FILE. Another house takes it in: pinhole import FILE.
";

/// The names of a file that are the same in all of them.
pub(super) fn context(vocabulary: &str) -> Value {
    json!({
        "@version": 1.1,
        "@vocab": format!("urn:pinhole:export:{vocabulary}:"),
        "dpv": "https://w3id.org/dpv#",
        "pd": "https://w3id.org/dpv/pd#",
        "eu-gdpr": "https://w3id.org/dpv/legal/eu/gdpr#",
        "dct": "http://purl.org/dc/terms/",
    })
}

pub(super) async fn compose(
    studio: &Studio,
    person: PersonId,
    id: ExportId,
) -> Result<(), ExportError> {
    let now = studio.clock.now();
    checksum_earlier(studio, person).await?;
    // So that the archive proves that it was taken.
    log::settle(studio).await?;
    let keys = studio.keys.make_object(person, id.to_string(), 1).await?;
    let mut writer = Writer::new(studio, id, keys.only()?, now);
    writer.put("README.txt", README).await?;
    writer
        .put(
            "what-is-kept.txt",
            &notice::text(Language::English, &studio.recipients),
        )
        .await?;
    let json_ld = format!("{:#}\n", notice::json_ld(&studio.recipients));
    writer.put("what-is-kept.jsonld", &json_ld).await?;

    let mut tx = studio.db.snapshot().await?;
    let types = Types::read(&mut tx).await?;
    let schema = schema::of(&types);
    writer.put("schema.json", &schema.text).await?;
    for table in access::tables() {
        let of = (person, table);
        tables::write(studio, &mut tx, &mut writer, of, (&types, &schema)).await?;
    }
    let checkpoint = write_log(studio, &mut tx, &mut writer, person).await?;
    let files = write_rights(&mut tx, &mut writer, person).await?;
    drop(tx);

    let mut entries = std::mem::take(&mut writer.written);
    entries.extend(portrait_of(studio, person, now).await?);
    entries.extend(files);
    let letters = recipients::letters_offered(studio, person).await?;
    let used = recipients::used(Language::English, &studio.recipients, letters);
    let used: Vec<Value> = used.iter().map(recipients::Used::json).collect();
    let about = json!({
        "schema": schema.name,
        "log_checkpoint": checkpoint,
        "recipients": used,
    });
    let signed = manifest::signed(studio, (id, person), &entries, &about);
    writer.put(manifest::NAME, &signed).await?;
    let first = writer.written.pop();
    let (first, sha256) = first.ok_or_else(|| Failure::Archive("no manifest".to_owned()))?;
    let items: Vec<Item> = [first]
        .into_iter()
        .chain(entries.into_iter().map(|(item, _)| item))
        .collect();
    let plan: String = items.iter().map(Item::line).collect();
    writer.end(&plan).await?;
    ready(studio, id, items, &sha256).await
}

async fn ready(
    studio: &Studio,
    id: ExportId,
    items: Vec<Item>,
    sha256: &str,
) -> Result<(), ExportError> {
    let files = items.len();
    let size = Layout::new(items, Item::file).size();
    let mut tx = studio.db.write().await?;
    let done = on!(tx, conn => {
        sqlx::query(
            "UPDATE export SET state = 'ready', size_bytes = $2, files = $3, manifest_sha256 = $4 \
             WHERE id = $1 AND state = 'composing'",
        )
        .bind(id.to_string())
        .bind(i64::try_from(size).unwrap_or(i64::MAX))
        .bind(i64::try_from(files).unwrap_or(i64::MAX))
        .bind(sha256)
        .execute(conn)
        .await
        .map(|done| done.rows_affected())
    })?;
    tx.commit().await?;
    if done == 1 {
        Ok(())
    } else {
        Err(ExportError::Changed)
    }
}

/// The entries of the log that tell of the person, and their proofs; gives the checkpoint.
async fn write_log(
    studio: &Studio,
    tx: &mut Tx,
    writer: &mut Writer<'_>,
    person: PersonId,
) -> Result<Option<String>, ExportError> {
    let head = proof::head(tx).await?;
    let (size, checkpoint) = head.map_or((0, None), |(size, note)| (size, Some(note)));
    let mut text = writer.open("log.json");
    let lead = json!({ "@context": context("log"), "checkpoint": checkpoint, "size": size });
    begin(writer, &mut text, &lead, "entries").await?;
    let mut after = String::new();
    let mut written = 0;
    loop {
        let some = proof::some_of(studio, tx, person, &after, size).await?;
        let Some(last) = some.last() else { break };
        after.clone_from(&last.id);
        for entry in some {
            add(writer, &mut text, &mut written, &entry_of(entry)).await?;
        }
    }
    end(writer, text).await?;
    if let Some(note) = &checkpoint {
        writer.put("checkpoint.txt", note).await?;
    }
    Ok(checkpoint)
}

fn entry_of(entry: Proven) -> Value {
    let (position, path) = match entry.place {
        Some((position, path)) => (Some(position), path),
        None => (None, Vec::new()),
    };
    json!({
        "id": entry.id,
        "kind": entry.kind.name(),
        "what": entry.kind.words(),
        "time_ms": entry.time_ms,
        "leaf": entry.leaf,
        "payload": entry.payload,
        "position": position,
        "path": path,
    })
}

#[derive(sqlx::FromRow)]
struct Drawn {
    id: String,
    size_bytes: i64,
    crc32: Option<i64>,
    sha256: String,
    rights: String,
    created_ms: i64,
}

/// Whose each picture is; gives the pictures' files.
async fn write_rights(
    tx: &mut Tx,
    writer: &mut Writer<'_>,
    person: PersonId,
) -> Result<Vec<(Item, String)>, ExportError> {
    let mut text = writer.open("rights.json");
    let editions = rights::EDITIONS
        .iter()
        .map(|one| json!({ "edition": one.edition, "statement": one.statement }));
    let lead = json!({ "@context": context("rights"), "editions": editions.collect::<Vec<_>>() });
    begin(writer, &mut text, &lead, "pictures").await?;
    let mut files = Vec::new();
    let mut written = 0;
    on!(tx, conn => {
        let mut rows = sqlx::query_as::<_, Drawn>(
            "SELECT id, size_bytes, crc32, sha256, rights, created_ms FROM picture \
             WHERE person_id = $1 ORDER BY id",
        )
        .bind(person.to_string())
        .fetch(conn);
        while let Some(drawn) = rows.try_next().await? {
            let bad = || Failure::Row(format!("picture {:?}", drawn.id));
            let picture: PictureId = drawn.id.parse().map_err(|_| bad())?;
            let right = json!({
                "picture": picture,
                "file": picture_name(picture),
                "sha256": drawn.sha256,
                "owner": person,
                "edition": drawn.rights,
            });
            add(writer, &mut text, &mut written, &right).await?;
            let Some(crc) = drawn.crc32 else {
                tracing::error!("the file of a picture is missing, so an export goes without it");
                continue;
            };
            let item = Item {
                what: What::Picture(picture),
                size: u32::try_from(drawn.size_bytes).map_err(|_| bad())?,
                crc: u32::try_from(crc).map_err(|_| bad())?,
                made: Moment::from_millis(drawn.created_ms),
            };
            files.push((item, drawn.sha256));
        }
        Ok::<(), ExportError>(())
    })?;
    end(writer, text).await?;
    Ok(files)
}

/// Begins a file that ends with a list.
async fn begin(
    writer: &mut Writer<'_>,
    text: &mut Text,
    lead: &Value,
    list: &str,
) -> Result<(), ExportError> {
    let lead = lead.to_string();
    let lead = lead.strip_suffix('}').unwrap_or(&lead);
    writer.add(text, &format!("{lead},\"{list}\":[")).await
}

async fn add(
    writer: &mut Writer<'_>,
    text: &mut Text,
    written: &mut u64,
    item: &Value,
) -> Result<(), ExportError> {
    let lead = if *written == 0 { "\n" } else { ",\n" };
    *written += 1;
    writer.add(text, &format!("{lead}{item}")).await
}

async fn end(writer: &mut Writer<'_>, mut text: Text) -> Result<(), ExportError> {
    writer.add(&mut text, "\n]}\n").await?;
    writer.close(text).await
}

async fn portrait_of(
    studio: &Studio,
    person: PersonId,
    now: Moment,
) -> Result<Option<(Item, String)>, Failure> {
    let Some((id, bytes)) = portrait::of(studio, person).await? else {
        return Ok(None);
    };
    let item = Item {
        what: What::Portrait(id),
        size: u32::try_from(bytes.len()).unwrap_or(u32::MAX),
        crc: crc32fast::hash(&bytes),
        made: now,
    };
    Ok(Some((item, hex(&Sha256::digest(&bytes).into()))))
}

/// Pictures of earlier builds have no checksum yet of the kind that a ZIP wants.
async fn checksum_earlier(studio: &Studio, person: PersonId) -> Result<(), Failure> {
    const AT_ONCE: i64 = 100;
    let mut after = String::new();
    loop {
        let mut tx = studio.db.read().await?;
        let missing: Vec<String> = on!(tx, conn => {
            sqlx::query_scalar(
                "SELECT id FROM picture WHERE person_id = $1 AND id > $3 AND crc32 IS NULL \
                 ORDER BY id LIMIT $2",
            )
            .bind(person.to_string())
            .bind(AT_ONCE)
            .bind(&after)
            .fetch_all(conn)
            .await
        })?;
        drop(tx);
        let Some(last) = missing.last() else {
            return Ok(());
        };
        after.clone_from(last);
        for id in missing {
            let bad = |_| Failure::Row(format!("picture {id:?}"));
            let picture: PictureId = id.parse().map_err(bad)?;
            let Some(bytes) = pictures::original(studio, person, picture).await? else {
                continue;
            };
            let mut tx = studio.db.write().await?;
            on!(tx, conn => {
                sqlx::query("UPDATE picture SET crc32 = $2 WHERE id = $1")
                    .bind(&id)
                    .bind(i64::from(crc32fast::hash(&bytes)))
                    .execute(conn)
                    .await
                    .map(|done| done.rows_affected())
            })?;
            tx.commit().await?;
        }
    }
}
