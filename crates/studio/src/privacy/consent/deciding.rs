//! Saying yes, confirming it by a letter where it is about a mailbox, and taking it back.

use db::{Tx, on};
use domain::clock::Moment;
use domain::ids::{ConsentId, PersonId};
use domain::secret::Token;
use serde_json::json;

use super::{Decision, Means, Optional, Read, Signal, Subject, Verdict, by_picture, newest};
use crate::accounts::person;
use crate::accounts::proof::{self, About, Kind as Proof};
use crate::jobs::line;
use crate::letters::{self, Letter};
use crate::privacy::log::{self, Event, Kind};
use crate::privacy::restriction;
use crate::{Failure, Studio};

/// Decisions of one person about one purpose within [`DAY_MS`]; then they can only take back.
const MAX_A_DAY: i64 = 50;
/// The same where each is about one picture.
const MAX_A_DAY_BY_PICTURE: i64 = 1_000;
const DAY_MS: i64 = 24 * 60 * 60 * 1_000;

#[derive(Debug, thiserror::Error)]
pub enum ConsentError {
    #[error(
        "The words have changed since you read them, so nothing was agreed to. Read them again, and decide."
    )]
    OtherWords,
    #[error("This is agreed to picture by picture, on the page of each.")]
    ByPicture,
    #[error("There is no such picture of yours.")]
    NoPicture,
    #[error(
        "This picture was drawn in private, so it is neither shown nor learned from. Nothing was agreed to."
    )]
    Private,
    #[error("There is no e-mail address here to write to: make an account first.")]
    NoAddress,
    #[error(
        "Your account is restricted, so nothing would follow from it. Lift the restriction on the page /account/restriction first."
    )]
    Restricted,
    #[error(
        "Several letters were written to this mailbox just now. Look into it, or try again in an hour."
    )]
    Slow,
    #[error("This was changed too often today. Taking it back still works; try again tomorrow.")]
    TooMany,
    #[error("This link was used, or has ended. Choose again on the page /account/choices.")]
    LinkEnded,
    #[error(transparent)]
    Failure(#[from] Failure),
}

failures!(ConsentError);

/// Somebody says yes to the words that they `read`, in whichever language. It holds at once; where it is about their mailbox, a letter
/// asks first whether it was them, and until that is confirmed nothing is done. Again changes nothing.
pub async fn give(
    studio: &Studio,
    person: PersonId,
    about: impl Into<Subject>,
    read: impl Into<Read>,
    means: Means,
    signal: Signal,
) -> Result<(), ConsentError> {
    let (about, Read { version, language }) = (about.into(), read.into());
    let optional = about.optional;
    if !about.is_sound() {
        return Err(ConsentError::ByPicture);
    }
    if version != optional.edition().version {
        return Err(ConsentError::OtherWords);
    }
    let mut tx = studio.db.write().await?;
    line::lock(&mut tx, person).await?;
    let mode = restriction::mode_in(&mut tx, person).await?;
    if !optional.operation().is_done_in(mode) {
        return Err(ConsentError::Restricted);
    }
    if let Some(picture) = about.picture {
        by_picture::must_be_open(&mut tx, person, picture).await?;
    }
    let known = newest(&mut tx, person, about).await?;
    let known = known.filter(Decision::is_of_today);
    // No browser sends its signal where letters are written, so it makes no other decision of it.
    let is_despite = signal == Signal::Objects && !optional.asks_by_letter();
    let is_known = |verdict| {
        let same = |one: &Decision| one.verdict == verdict && (!is_despite || one.signal == signal);
        known.as_ref().is_some_and(same)
    };
    if is_known(Verdict::Given) {
        return Ok(());
    }
    let verdict = match optional.asks_by_letter() {
        true => Verdict::Asked,
        false => Verdict::Given,
    };
    if !is_known(verdict) {
        let limit = match about.picture {
            None => MAX_A_DAY,
            Some(_) => MAX_A_DAY_BY_PICTURE,
        };
        if decided_lately(studio, &mut tx, person, optional).await? >= limit {
            return Err(ConsentError::TooMany);
        }
        let read = optional.edition().sha256_in(language);
        write_read(
            studio,
            &mut tx,
            person,
            about,
            (verdict, means, signal),
            read,
        )
        .await?;
    }
    if verdict == Verdict::Asked {
        ask(studio, &mut tx, person, version).await?;
    }
    tx.commit().await?;
    Ok(())
}

/// Writes the letter that asks whether it was them.
async fn ask(
    studio: &Studio,
    tx: &mut Tx,
    person: PersonId,
    version: i64,
) -> Result<(), ConsentError> {
    let address = person::address_of(studio, tx, person).await?;
    let address = address.ok_or(ConsentError::NoAddress)?;
    let throttle = studio.gate.throttle();
    if !throttle.may_write_to(studio.clock.now(), &address) {
        return Err(ConsentError::Slow);
    }
    let detail = version.to_string();
    let about = About {
        person: Some(person),
        detail: Some(&detail),
        ..About::default()
    };
    let token = proof::give(studio, tx, Proof::News, &about).await?;
    let letter = Letter::NewsConfirm {
        token: token.expose().to_owned(),
    };
    letters::enqueue(studio, tx, Some(person), Some(&address), &letter).await?;
    Ok(())
}

/// Whether the link of a letter still confirms something.
pub async fn is_confirmable(studio: &Studio, token: &Token) -> Result<bool, Failure> {
    let mut tx = studio.db.read().await?;
    let found = proof::look(studio, &mut tx, Proof::News, token).await?;
    Ok(found.is_some_and(|proof| is_of_today(&proof)))
}

fn is_of_today(proof: &proof::Proof) -> bool {
    let version = proof.detail.as_ref().map(|detail| detail.expose().as_str());
    version == Some(Optional::News.edition().version.to_string().as_str())
}

/// The mailbox confirms: from now on it holds.
pub async fn confirm(studio: &Studio, token: &Token) -> Result<(), ConsentError> {
    let mut tx = studio.db.write().await?;
    let proof = proof::take(studio, &mut tx, Proof::News, token).await?;
    let proof = proof.filter(is_of_today).ok_or(ConsentError::LinkEnded)?;
    let person = proof.person.ok_or(ConsentError::LinkEnded)?;
    if !person::stays(&mut tx, person).await? {
        return Err(ConsentError::LinkEnded);
    }
    line::lock(&mut tx, person).await?;
    let asked = newest(&mut tx, person, Optional::News.into()).await?;
    // Whoever took it back meanwhile is not brought in again by an old letter.
    let asked = asked.filter(|one| one.verdict == Verdict::Asked && one.is_of_today());
    let signal = asked.ok_or(ConsentError::LinkEnded)?.signal;
    let said = (Verdict::Given, Means::Mailbox, signal);
    write(studio, &mut tx, person, Optional::News.into(), said).await?;
    proof::end_of_person(&mut tx, Proof::News, person).await?;
    tx.commit().await?;
    Ok(())
}

/// Somebody takes it back, or says no before they ever said yes. It holds at once, and what waits to be
/// sent because of it goes. Again changes nothing.
pub async fn withdraw(
    studio: &Studio,
    person: PersonId,
    about: impl Into<Subject>,
    means: Means,
    signal: Signal,
) -> Result<(), Failure> {
    let about = about.into();
    let mut tx = studio.db.write().await?;
    line::lock(&mut tx, person).await?;
    let known = newest(&mut tx, person, about).await?;
    // A no that was there already needs no record: nothing is ever done without a yes.
    let said_yes = |one: &Decision| one.verdict != Verdict::Withdrawn;
    if !known.as_ref().is_some_and(said_yes) {
        return Ok(());
    }
    let said = (Verdict::Withdrawn, means, signal);
    write(studio, &mut tx, person, about, said).await?;
    if about.optional == Optional::News {
        proof::end_of_person(&mut tx, Proof::News, person).await?;
        letters::news::drop_waiting(&mut tx, person).await?;
    }
    tx.commit().await?;
    Ok(())
}

/// By which whoever has a letter with news takes the consent back without signing in: only the house's key
/// makes it of the person's number, so it is kept nowhere but in letters, and works for as long as the account.
#[must_use]
pub fn reference(studio: &Studio, person: PersonId) -> String {
    let seal = studio.keys.blind("news", &person.to_string());
    format!("{person}.{seal}")
}

/// The same as [`withdraw`] for news, by such a reference; `false` where it was made up.
pub async fn leave(studio: &Studio, text: &str) -> Result<bool, Failure> {
    let Some(person) = whose(studio, text) else {
        return Ok(false);
    };
    withdraw(
        studio,
        person,
        Optional::News,
        Means::Letter,
        Signal::Absent,
    )
    .await?;
    Ok(true)
}

/// Whose reference it is; whether they are still here is not said.
#[must_use]
pub fn whose(studio: &Studio, text: &str) -> Option<PersonId> {
    let (person, _) = text.split_once('.')?;
    let person = person.parse().ok()?;
    // Compared as keyed hashes, so that the time tells nothing of the right one.
    let hash = |text: &str| studio.keys.blind("reference", text);
    (hash(text) == hash(&reference(studio, person))).then_some(person)
}

async fn decided_lately(
    studio: &Studio,
    tx: &mut Tx,
    person: PersonId,
    optional: Optional,
) -> Result<i64, Failure> {
    let since = studio.clock.now().plus_millis(-DAY_MS);
    Ok(on!(tx, conn => {
        sqlx::query_scalar(
            "SELECT COUNT(*) FROM consent WHERE person_id = $1 AND purpose = $2 AND created_ms > $3",
        )
        .bind(person.to_string())
        .bind(optional.name())
        .bind(since.as_millis())
        .fetch_one(conn)
        .await
    })?)
}

/// A decision about the words that were read before it, in the language in which they were.
pub(super) async fn write(
    studio: &Studio,
    tx: &mut Tx,
    person: PersonId,
    about: Subject,
    said: (Verdict, Means, Signal),
) -> Result<(), Failure> {
    let before = newest(tx, person, about).await?;
    let before = before.filter(Decision::is_of_today);
    let read = before.map_or_else(|| about.optional.edition().sha256(), |one| one.text_sha256);
    write_read(studio, tx, person, about, said, read).await
}

/// The one place where a decision is written, with its entry in the log.
async fn write_read(
    studio: &Studio,
    tx: &mut Tx,
    person: PersonId,
    about: Subject,
    (verdict, means, signal): (Verdict, Means, Signal),
    text_sha256: String,
) -> Result<(), Failure> {
    let now: Moment = studio.clock.now();
    let id = ConsentId::new(now, &studio.randomness);
    let Subject { optional, picture } = about;
    let edition = optional.edition();
    let event = Event {
        kind: match verdict {
            Verdict::Asked => Kind::ConsentAsked,
            Verdict::Given => Kind::ConsentGiven,
            Verdict::Withdrawn => Kind::ConsentWithdrawn,
        },
        person: Some(person),
        what: json!({
            "consent": id,
            "purpose": optional.name(),
            "picture": picture,
            "version": edition.version,
            "text_sha256": text_sha256,
            "means": means.name(),
            "gpc": signal == Signal::Objects,
        }),
    };
    let log = log::note(studio, tx, &event).await?;
    on!(tx, conn => {
        sqlx::query(
            "INSERT INTO consent (id, person_id, purpose, number, decision, version, text_sha256, \
             means, signal, log_id, created_ms, picture_id) \
             SELECT $1, $2, $3, COALESCE(MAX(number), 0) + 1, $4, $5, $6, $7, $8, $9, $10, $11 \
             FROM consent WHERE person_id = $2 AND purpose = $3",
        )
        .bind(id.to_string())
        .bind(person.to_string())
        .bind(optional.name())
        .bind(verdict.name())
        .bind(edition.version)
        .bind(&text_sha256)
        .bind(means.name())
        .bind(i64::from(signal == Signal::Objects))
        .bind(log.to_string())
        .bind(now.as_millis())
        .bind(picture.map(|id| id.to_string()))
        .execute(conn)
        .await
        .map(|done| done.rows_affected())
    })?;
    Ok(())
}
