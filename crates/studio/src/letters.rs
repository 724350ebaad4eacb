//! Letters to people: rows, written in the transaction that causes them. A loop sends them where
//! mail is set up; elsewhere the operator reads them on a page and hands them on.

mod kinds;
pub mod news;
mod outbox;
mod registry;
mod told;

use std::time::Duration;

use db::{Tx, on};
use domain::clock::Moment;
use domain::ids::{LetterId, PersonId};
use domain::personal::Address;
use outside::mail::{MailError, Post, Sheet};

pub use kinds::Letter;

use crate::jobs::worker::Stop;
use crate::privacy::inventory::Purpose;
use crate::privacy::keys::{Cipher, KeyError, Place, Reading, Sealed};
use crate::privacy::restriction::{self, Mode};
use crate::{Failure, Studio, failpoint};

pub use outbox::recent;
pub(crate) use registry::json as registry_json;
pub use registry::{Template, registry, sample};

const ADDRESS: Place = Place::new("letter", "address");
const FIELDS: Place = Place::new("letter", "fields");
const READ_ADDRESS: Reading = ADDRESS.read_for(Purpose::Mail);
const READ_FIELDS: Reading = FIELDS.read_for(Purpose::Mail);
const NEWS_ADDRESS: Reading = ADDRESS.read_for(Purpose::News);
const NEWS_FIELDS: Reading = FIELDS.read_for(Purpose::News);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LetterState {
    Waiting,
    Sent,
    /// Given up.
    Failed,
}

impl LetterState {
    fn named(name: &str) -> Self {
        match name {
            "waiting" => Self::Waiting,
            "sent" => Self::Sent,
            _ => Self::Failed,
        }
    }
}

/// A letter as the operator sees it.
#[derive(Clone, Debug)]
pub struct Posted {
    pub id: LetterId,
    pub address: Address,
    /// `None` once it was sent: then what it said is gone.
    pub letter: Option<Letter>,
    pub state: LetterState,
    pub attempts: u32,
    /// Why the last attempt failed.
    pub trouble: Option<String>,
    pub created: Moment,
}

/// Writes a letter down. Without an address it takes as long and reaches nobody.
pub(crate) async fn enqueue(
    studio: &Studio,
    tx: &mut Tx,
    person: Option<PersonId>,
    address: Option<&Address>,
    letter: &Letter,
) -> Result<LetterId, Failure> {
    let operation = letter.operation();
    // Read only for letters that some don't get: for others it takes as long, whoever has an account.
    let address = match person {
        Some(person) if !Mode::ALL.into_iter().all(|mode| operation.is_done_in(mode)) => {
            let mode = restriction::mode_in(tx, person).await?;
            address.filter(|_| operation.is_done_in(mode))
        }
        _ => address,
    };
    let now = studio.clock.now();
    let number = LetterId::new(now, &studio.randomness);
    let id = number.to_string();
    let fields = told::fields(letter)?;
    let cipher = studio.keys.of_whom(person).await?;
    let sealed = address.map(|address| cipher.seal(ADDRESS, &id, address.expose()));
    let fields = cipher.seal(FIELDS, &id, &fields);
    on!(tx, conn => {
        sqlx::query(
            "INSERT INTO letter (id, person_id, address, kind, fields, state, attempts, created_ms, \
             due_ms) VALUES ($1, $2, $3, $4, $5, 'waiting', 0, $6, $6)",
        )
        .bind(&id)
        .bind(person.map(|id| id.to_string()))
        .bind(sealed.as_ref().map(Sealed::as_str))
        .bind(letter.kind())
        .bind(fields.as_str())
        .bind(now.as_millis())
        .execute(conn)
        .await
        .map(|done| done.rows_affected())
    })?;
    Ok(number)
}

/// What became of a letter; `None` where it is gone.
pub(crate) async fn state(studio: &Studio, id: LetterId) -> Result<Option<LetterState>, Failure> {
    let mut tx = studio.db.read().await?;
    let state: Option<String> = on!(tx, conn => {
        sqlx::query_scalar("SELECT state FROM letter WHERE id = $1")
            .bind(id.to_string())
            .fetch_optional(conn)
            .await
    })?;
    Ok(state.as_deref().map(LetterState::named))
}

pub(crate) async fn delete(tx: &mut Tx, id: LetterId) -> Result<(), Failure> {
    on!(tx, conn => {
        sqlx::query("DELETE FROM letter WHERE id = $1")
            .bind(id.to_string())
            .execute(conn)
            .await
            .map(|done| done.rows_affected())
    })?;
    Ok(())
}

/// Deletes the letters that went to an address before anybody had an account with it, and those to
/// operators that name a person.
pub(crate) async fn forget_nobodys(
    studio: &Studio,
    tx: &mut Tx,
    address: &Address,
    person: PersonId,
) -> Result<(), Failure> {
    let mut rows: Vec<LetterRow> = on!(tx, conn => {
        sqlx::query_as("SELECT * FROM letter WHERE person_id IS NULL AND address IS NOT NULL")
            .fetch_all(conn)
            .await
    })?;
    rows.extend::<Vec<LetterRow>>(on!(tx, conn => {
        sqlx::query_as(
            "SELECT * FROM letter WHERE kind = 'attack_on_account' AND address IS NOT NULL",
        )
        .fetch_all(conn)
        .await
    })?);
    let person = person.to_string();
    for row in rows {
        let Some(cipher) = row.cipher(studio).await? else {
            continue;
        };
        let posted = row.into_posted(&cipher, [ADDRESS.to_forget(), FIELDS.to_forget()])?;
        let names = matches!(
            &posted.letter,
            Some(Letter::AttackOnAccount { person: named, .. }) if *named == person
        );
        if names || posted.address.folded() == address.folded() {
            delete(tx, posted.id).await?;
        }
    }
    Ok(())
}

#[derive(sqlx::FromRow)]
struct LetterRow {
    id: String,
    person_id: Option<String>,
    address: String,
    kind: String,
    fields: String,
    state: String,
    attempts: i64,
    trouble: Option<String>,
    created_ms: i64,
}

impl LetterRow {
    fn person(&self) -> Result<Option<PersonId>, Failure> {
        let bad = |_| Failure::Row(format!("person of {}", self.id));
        let person = self.person_id.as_deref().map(str::parse).transpose();
        person.map_err(bad)
    }

    /// `None` where it was to somebody who is being erased: nobody can read it any more.
    async fn cipher(&self, studio: &Studio) -> Result<Option<Cipher>, Failure> {
        match studio.keys.of_whom(self.person()?).await {
            Ok(cipher) => Ok(Some(cipher)),
            Err(KeyError::Gone(_)) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    fn into_posted(
        self,
        cipher: &Cipher,
        [address, fields]: [Reading; 2],
    ) -> Result<Posted, Failure> {
        let row = |what: &str| Failure::Row(format!("{what} of {}", self.id));
        let address = cipher.open(address, &self.id, &self.address)?;
        let letter = match self.fields.as_str() {
            "" => None,
            stored => {
                let fields = cipher.open(fields, &self.id, stored)?;
                Some(serde_json::from_str(fields.expose()).map_err(|_| row("fields"))?)
            }
        };
        Ok(Posted {
            id: self.id.parse().map_err(|_| row("id"))?,
            address: Address::new(address.expose()).map_err(|_| row("address"))?,
            letter,
            state: LetterState::named(&self.state),
            attempts: u32::try_from(self.attempts).map_err(|_| row("attempts"))?,
            trouble: self.trouble,
            created: Moment::from_millis(self.created_ms),
        })
    }
}

/// A letter in words. It may hold a link that lets in, so it can't be printed.
#[derive(Clone)]
#[expect(
    missing_debug_implementations,
    reason = "a letter may hold a link that lets in"
)]
pub struct Words {
    pub subject: String,
    pub text: String,
    pub html: String,
    /// Of what is sent only because its person wants it: the address that ends it.
    pub leave: Option<String>,
}

/// How often it is looked whether letters wait.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Letters sent in one go.
const AT_ONCE: usize = 20;
/// Longer than sending one takes; then another process may try.
const LEASE_MS: i64 = 5 * MINUTE_MS;
const MINUTE_MS: i64 = 60 * 1_000;
/// Pauses between attempts; after the last, a letter is given up.
const PAUSES_MS: [i64; 6] = [
    MINUTE_MS,
    5 * MINUTE_MS,
    15 * MINUTE_MS,
    60 * MINUTE_MS,
    4 * 60 * MINUTE_MS,
    12 * 60 * MINUTE_MS,
];
/// For how long a letter that nobody sends can be read by the operator; its link has ended by then.
const UNSENT_KEPT_MS: i64 = 3 * 24 * 60 * MINUTE_MS;
/// For how long it is kept that a letter was sent, without what it said.
pub const SENT_KEPT_MS: i64 = 30 * 24 * 60 * MINUTE_MS;

/// Sends what waits until the program stops, and forgets what is old. Without a `post` it only
/// forgets.
pub async fn run(studio: Studio, write: impl Fn(&Letter) -> Words, post: Option<Post>, stop: Stop) {
    while !stop.is_set() {
        let passed = async {
            forget_old(&studio).await?;
            match &post {
                Some(post) => send_due(&studio, &write, post).await,
                None => Ok(0),
            }
        };
        match passed.await {
            // There may be more.
            Ok(AT_ONCE) => continue,
            Ok(_) => {}
            Err(error) => tracing::error!(%error, "letters could not be sent; trying again"),
        }
        tokio::select! {
            () = tokio::time::sleep(LOOK_EVERY) => {}
            () = stop.set() => {}
        }
    }
}

/// Sends some of the letters that are due, each once; gives how many it took.
pub async fn send_due(
    studio: &Studio,
    write: &impl Fn(&Letter) -> Words,
    post: &Post,
) -> Result<usize, Failure> {
    let all = claim_due(studio).await?;
    let taken = all.len();
    for due in all {
        let Some(letter) = &due.letter else { continue };
        // In this very moment: whoever said no while others were written to gets none.
        if matches!(letter, Letter::News { .. }) {
            if !news::may_go(studio, due.id).await? {
                continue;
            }
            failpoint::here("news-going");
        }
        let words = write(letter);
        let number = due.id.to_string();
        let sheet = Sheet {
            number: Some(&number),
            subject: &words.subject,
            text: &words.text,
            html: &words.html,
            leave: words.leave.as_deref(),
        };
        let sent = post.send(&due.address, sheet).await;
        if let Err(trouble) = sent {
            tracing::warn!(letter = %due.id, %trouble, "a letter did not go");
        }
        record(studio, &due, sent).await?;
    }
    Ok(taken)
}

/// Lets letters go at once that a process had taken which died. Only where no other process can have them.
pub async fn take_over(studio: &Studio) -> Result<(), Failure> {
    let mut tx = studio.db.write().await?;
    on!(tx, conn => {
        sqlx::query(
            "UPDATE letter SET due_ms = $1 WHERE state = 'waiting' AND attempts > 0 \
             AND trouble IS NULL AND due_ms > $1",
        )
        .bind(studio.clock.now().as_millis())
        .execute(conn)
        .await
        .map(|done| done.rows_affected())
    })?;
    tx.commit().await?;
    Ok(())
}

/// Takes the letters that are due, so that no other process sends them meanwhile. What goes to many waits until what
/// one person waits for has gone: a link to a new password is over in an hour, and ten thousand letters take longer.
async fn claim_due(studio: &Studio) -> Result<Vec<Posted>, Failure> {
    let now = studio.clock.now();
    let mut tx = studio.db.read().await?;
    let rows: Vec<LetterRow> = on!(tx, conn => {
        sqlx::query_as(
            "SELECT * FROM letter WHERE state = 'waiting' AND due_ms <= $1 AND address IS NOT NULL \
             ORDER BY CASE kind WHEN 'breach' THEN 1 WHEN 'policy_changes' THEN 2 WHEN 'terms_change' THEN 2 \
             WHEN 'news' THEN 3 ELSE 0 END, due_ms, id LIMIT $2",
        )
        .bind(now.as_millis())
        .bind(i64::try_from(AT_ONCE).unwrap_or(i64::MAX))
        .fetch_all(conn)
        .await
    })?;
    drop(tx);
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let mut readable = Vec::new();
    for row in rows {
        if let Some(cipher) = row.cipher(studio).await? {
            readable.push((row, cipher));
        }
    }
    let mut tx = studio.db.write().await?;
    let mut claimed = Vec::new();
    for (row, cipher) in readable {
        let taken = on!(tx, conn => {
            sqlx::query(
                "UPDATE letter SET due_ms = $2, attempts = attempts + 1 \
                 WHERE id = $1 AND state = 'waiting' AND due_ms <= $3",
            )
            .bind(&row.id)
            .bind(now.plus_millis(LEASE_MS).as_millis())
            .bind(now.as_millis())
            .execute(conn)
            .await
            .map(|done| done.rows_affected())
        })?;
        if taken == 1 {
            let readings = match row.kind.as_str() {
                "news" => [NEWS_ADDRESS, NEWS_FIELDS],
                _ => [READ_ADDRESS, READ_FIELDS],
            };
            claimed.push(row.into_posted(&cipher, readings)?);
        }
    }
    tx.commit().await?;
    Ok(claimed)
}

async fn record(studio: &Studio, due: &Posted, sent: Result<(), MailError>) -> Result<(), Failure> {
    let now = studio.clock.now();
    let pause = PAUSES_MS.get(due.attempts as usize).copied();
    let (state, trouble, due_ms) = match (sent, pause) {
        (Ok(()), _) => ("sent", None, now.as_millis()),
        (Err(trouble), Some(pause)) if !trouble.is_final() => {
            ("waiting", Some(trouble), now.as_millis() + pause)
        }
        (Err(trouble), _) => ("failed", Some(trouble), now.as_millis()),
    };
    let mut tx = studio.db.write().await?;
    on!(tx, conn => {
        sqlx::query(
            "UPDATE letter SET state = $2, trouble = $3, due_ms = $4, \
             fields = CASE WHEN $2 = 'sent' THEN '' ELSE fields END, \
             ended_ms = CASE WHEN $2 = 'waiting' THEN NULL ELSE CAST($5 AS BIGINT) END \
             WHERE id = $1",
        )
        .bind(due.id.to_string())
        .bind(state)
        .bind(trouble.map(|trouble| trouble.to_string()))
        .bind(due_ms)
        .bind(now.as_millis())
        .execute(conn)
        .await
        .map(|done| done.rows_affected())
    })?;
    tx.commit().await?;
    Ok(())
}

/// Letters to nobody go at once, others after a while.
async fn forget_old(studio: &Studio) -> Result<(), Failure> {
    let now = studio.clock.now().as_millis();
    let mut tx = studio.db.read().await?;
    let old: Option<String> = on!(tx, conn => {
        sqlx::query_scalar(
            "SELECT id FROM letter WHERE address IS NULL OR created_ms < $1 \
             OR (state <> 'sent' AND created_ms < $2) \
             OR (state = 'sent' AND fields <> '' AND due_ms < $3) LIMIT 1",
        )
        .bind(now - SENT_KEPT_MS)
        .bind(now - UNSENT_KEPT_MS)
        .bind(now)
        .fetch_optional(conn)
        .await
    })?;
    drop(tx);
    if old.is_none() {
        return Ok(());
    }
    let mut tx = studio.db.write().await?;
    on!(tx, conn => {
        sqlx::query(
            "DELETE FROM letter WHERE address IS NULL OR created_ms < $1 \
             OR (state <> 'sent' AND created_ms < $2)",
        )
        .bind(now - SENT_KEPT_MS)
        .bind(now - UNSENT_KEPT_MS)
        .execute(conn)
        .await
        .map(|done| done.rows_affected())
    })?;
    // News of a process that died while it sent them.
    on!(tx, conn => {
        sqlx::query(
            "UPDATE letter SET fields = '' WHERE state = 'sent' AND fields <> '' AND due_ms < $1",
        )
        .bind(now)
        .execute(conn)
        .await
        .map(|done| done.rows_affected())
    })?;
    tx.commit().await?;
    Ok(())
}
