//! What an archive says in words: written once, sealed in pieces, read again for each download.

use db::{Tx, on};
use domain::clock::Moment;
use domain::ids::ExportId;
use sha2::{Digest, Sha256};

use super::plan::{Item, What};
use super::{ExportError, State};
use crate::privacy::inventory::Purpose;
use crate::privacy::keys::{Cipher, Place, Reading};
use crate::privacy::log::hex;
use crate::{Failure, Studio};

const SEALED: Place = Place::new("export_part", "sealed");
const READ_SEALED: Reading = SEALED.read_for(Purpose::Access);
/// A piece is at least so long, but for the last one of its file.
const PIECE_BYTES: usize = 128 << 10;
/// Pieces of one transaction.
const AT_ONCE: usize = 16;

/// Under this number the plan of the archive is kept, which is no file of it.
pub(super) const PLAN: i64 = 0;

/// A piece can't stand in the place of another.
fn row(export: ExportId, entry: i64, starts: u64) -> String {
    format!("{export}|{entry}|{starts}")
}

/// Writes the texts of one archive.
pub(super) struct Writer<'a> {
    studio: &'a Studio,
    export: ExportId,
    cipher: Cipher,
    waiting: Vec<(i64, u64, String)>,
    entries: i64,
    /// What was written so far, with the SHA-256 of each.
    pub(super) written: Vec<(Item, String)>,
    made: Moment,
}

/// A file that is being written.
pub(super) struct Text {
    entry: i64,
    name: String,
    piece: String,
    starts: u64,
    crc: crc32fast::Hasher,
    sha256: Sha256,
}

impl<'a> Writer<'a> {
    pub(super) const fn new(
        studio: &'a Studio,
        export: ExportId,
        cipher: Cipher,
        made: Moment,
    ) -> Self {
        Self {
            studio,
            export,
            cipher,
            waiting: Vec::new(),
            entries: PLAN,
            written: Vec::new(),
            made,
        }
    }

    pub(super) fn open(&mut self, name: &str) -> Text {
        self.entries += 1;
        Text {
            entry: self.entries,
            name: name.to_owned(),
            piece: String::new(),
            starts: 0,
            crc: crc32fast::Hasher::new(),
            sha256: Sha256::new(),
        }
    }

    pub(super) async fn add(&mut self, text: &mut Text, words: &str) -> Result<(), ExportError> {
        text.piece.push_str(words);
        if text.piece.len() >= PIECE_BYTES {
            self.cut(text).await?;
        }
        Ok(())
    }

    pub(super) async fn close(&mut self, mut text: Text) -> Result<(), ExportError> {
        self.cut(&mut text).await?;
        let too_long = |_| Failure::Archive(format!("{} has more than 4 GiB", text.name));
        let size = u32::try_from(text.starts).map_err(too_long)?;
        let item = Item {
            what: What::Text {
                entry: text.entry,
                name: text.name,
            },
            size,
            crc: text.crc.finalize(),
            made: self.made,
        };
        let sha256 = hex(&text.sha256.finalize().into());
        self.written.push((item, sha256));
        Ok(())
    }

    /// A file that is there at once.
    pub(super) async fn put(&mut self, name: &str, words: &str) -> Result<(), ExportError> {
        let mut text = self.open(name);
        self.add(&mut text, words).await?;
        self.close(text).await
    }

    /// Writes the plan, and what waits to be written.
    pub(super) async fn end(&mut self, plan: &str) -> Result<(), ExportError> {
        let mut text = self.open("");
        text.entry = PLAN;
        self.add(&mut text, plan).await?;
        self.cut(&mut text).await?;
        self.flush().await
    }

    async fn cut(&mut self, text: &mut Text) -> Result<(), ExportError> {
        let piece = std::mem::take(&mut text.piece);
        if piece.is_empty() {
            return Ok(());
        }
        text.crc.update(piece.as_bytes());
        text.sha256.update(&piece);
        let row = row(self.export, text.entry, text.starts);
        let sealed = self.cipher.seal(SEALED, &row, &piece);
        let place = (text.entry, text.starts, sealed.as_str().to_owned());
        self.waiting.push(place);
        text.starts += piece.len() as u64;
        if self.waiting.len() >= AT_ONCE {
            self.flush().await?;
        }
        Ok(())
    }

    async fn flush(&mut self) -> Result<(), ExportError> {
        let mut tx = self.studio.db.write().await?;
        still_composed(&mut tx, self.export).await?;
        for (entry, starts, sealed) in self.waiting.drain(..) {
            on!(tx, conn => {
                sqlx::query(
                    "INSERT INTO export_part (export_id, entry, starts, sealed) \
                     VALUES ($1, $2, $3, $4)",
                )
                .bind(self.export.to_string())
                .bind(entry)
                .bind(i64::try_from(starts).unwrap_or(i64::MAX))
                .bind(sealed)
                .execute(conn)
                .await
                .map(|done| done.rows_affected())
            })?;
        }
        tx.commit().await?;
        Ok(())
    }
}

/// Locks the export, so that it does not end while something is written.
async fn still_composed(tx: &mut Tx, export: ExportId) -> Result<(), ExportError> {
    let found = on!(tx, conn => {
        sqlx::query("UPDATE export SET state = state WHERE id = $1 AND state = $2")
            .bind(export.to_string())
            .bind(State::Composing.name())
            .execute(conn)
            .await
            .map(|done| done.rows_affected())
    })?;
    if found == 1 {
        Ok(())
    } else {
        Err(ExportError::Changed)
    }
}

/// The piece of a text in which this byte stands, and where it begins; `None` where the archive ended.
pub(super) async fn piece(
    studio: &Studio,
    cipher: &Cipher,
    (export, entry): (ExportId, i64),
    at: u64,
) -> Result<Option<(u64, String)>, Failure> {
    let mut tx = studio.db.read().await?;
    let found: Option<(i64, String)> = on!(tx, conn => {
        sqlx::query_as(
            "SELECT starts, sealed FROM export_part WHERE export_id = $1 AND entry = $2 \
             AND starts <= $3 ORDER BY starts DESC LIMIT 1",
        )
        .bind(export.to_string())
        .bind(entry)
        .bind(i64::try_from(at).unwrap_or(i64::MAX))
        .fetch_optional(conn)
        .await
    })?;
    drop(tx);
    let Some((starts, sealed)) = found else {
        return Ok(None);
    };
    let starts = starts.unsigned_abs();
    let opened = cipher.open(READ_SEALED, &row(export, entry, starts), &sealed)?;
    Ok(Some((starts, opened.into_exposed())))
}

/// The whole of a text.
pub(super) async fn whole(
    studio: &Studio,
    cipher: &Cipher,
    (export, entry): (ExportId, i64),
) -> Result<String, Failure> {
    let mut text = String::new();
    loop {
        let at = text.len() as u64;
        match piece(studio, cipher, (export, entry), at).await? {
            Some((starts, piece)) if starts == at => text.push_str(&piece),
            _ => return Ok(text),
        }
    }
}
