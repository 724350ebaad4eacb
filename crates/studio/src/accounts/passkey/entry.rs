//! Signing in with a passkey, and proving with one again who one is.

use db::{Tx, on};
use domain::ids::{PasskeyId, PersonId, SessionId};
use domain::secret::Token;

use super::super::sign_in::{SignInError, SignedIn, Visit, admit_and_tell};
use super::super::{device, hash, session};
use super::ceremony::{self, State};
use super::{
    Aim, Asserted, Party, PasskeyRow, ask, bytes_of, letters_of, open_name, question, tell,
};
use crate::letters::Letter;
use crate::{Failure, Studio};

/// A question for whichever passkey somebody has, and the token that the browser keeps meanwhile.
pub async fn ask_to_sign_in(studio: &Studio, visit: &Visit) -> Result<(Token, Token), SignInError> {
    let throttle = studio.gate.throttle();
    throttle
        .may_ask_for_passkey(studio.clock.now(), visit.from)
        .map_err(|retry_after_s| SignInError::Slow { retry_after_s })?;
    let browser = Token::new(&studio.randomness);
    let aim = Aim::SignIn {
        browser: hash(&browser),
    };
    let mut tx = studio.db.write().await?;
    let challenge = ask(studio, &mut tx, None, &aim).await?;
    tx.commit().await?;
    Ok((challenge, browser))
}

/// Signs in whoever holds the passkey. `browser` is the token that came with the question.
pub async fn sign_in(
    studio: &Studio,
    party: &Party,
    visit: &Visit,
    browser: Option<&Token>,
    sent: &Asserted,
) -> Result<SignedIn, SignInError> {
    let found = find(studio, &sent.credential).await?;
    let known_device = match (&found, &visit.device) {
        (Some(passkey), Some(token)) => {
            let mut tx = studio.db.read().await?;
            let is_known = device::is_known(studio, &mut tx, passkey.person, token).await?;
            is_known.then_some(token)
        }
        _ => None,
    };
    let (now, throttle) = (studio.clock.now(), studio.gate.throttle());
    throttle
        .try_passkey(now, visit, known_device)
        .map_err(|retry_after_s| SignInError::Slow { retry_after_s })?;
    let browser = browser.ok_or(SignInError::WrongPasskey)?;
    let aim = Aim::SignIn {
        browser: hash(browser),
    };
    let asked = question(studio, &sent.client_data, &aim).await?;
    let passkey = found.ok_or(SignInError::WrongPasskey)?;
    let mut tx = studio.db.write().await?;
    let is_good = match asked {
        Some(challenge) => {
            accept(studio, &mut tx, party, (&challenge, false), &passkey, sent).await?
        }
        None => false,
    };
    if !is_good {
        // A letter may have been written.
        tx.commit().await?;
        return Err(SignInError::WrongPasskey);
    }
    let signed_in =
        admit_and_tell(studio, &mut tx, visit, passkey.person, Some(passkey.id)).await?;
    tx.commit().await?;
    throttle.passkey_succeeded(now, visit, known_device);
    Ok(signed_in)
}

/// A question for the passkeys of somebody who is signed in, and the ids of those; `None` where
/// they have none.
pub async fn ask_to_confirm(
    studio: &Studio,
    (person, id): (PersonId, SessionId),
) -> Result<Option<(Token, Vec<Vec<u8>>)>, Failure> {
    let mut tx = studio.db.read().await?;
    let known: Vec<String> = on!(tx, conn => {
        sqlx::query_scalar("SELECT credential_id FROM passkey WHERE person_id = $1 ORDER BY id")
            .bind(person.to_string())
            .fetch_all(conn)
            .await
    })?;
    drop(tx);
    if known.is_empty() {
        return Ok(None);
    }
    let mut tx = studio.db.write().await?;
    let challenge = ask(studio, &mut tx, Some(person), &Aim::Confirm(id)).await?;
    tx.commit().await?;
    let known = known.iter().map(|id| bytes_of(id));
    Ok(Some((challenge, known.collect::<Result<_, Failure>>()?)))
}

/// Proves again, with a passkey, who somebody is who is signed in. The session gets a new token.
pub async fn confirm(
    studio: &Studio,
    party: &Party,
    (person, id): (PersonId, SessionId),
    sent: &Asserted,
) -> Result<Token, SignInError> {
    let asked = question(studio, &sent.client_data, &Aim::Confirm(id)).await?;
    let found = find(studio, &sent.credential).await?;
    let own = found.filter(|passkey| passkey.person == person);
    let (challenge, passkey) = asked.zip(own).ok_or(SignInError::WrongPasskey)?;
    let mut tx = studio.db.write().await?;
    let is_good = accept(studio, &mut tx, party, (&challenge, true), &passkey, sent).await?;
    if !is_good {
        tx.commit().await?;
        return Err(SignInError::WrongPasskey);
    }
    let token = session::rotate(studio, &mut tx, id).await?;
    tx.commit().await?;
    Ok(token)
}

/// A passkey that is here.
struct Kept {
    id: PasskeyId,
    person: PersonId,
    /// As it is stored.
    name: String,
    key: Vec<u8>,
    may_be_backed_up: bool,
}

async fn find(studio: &Studio, credential: &[u8]) -> Result<Option<Kept>, Failure> {
    let mut tx = studio.db.read().await?;
    let row: Option<PasskeyRow> = on!(tx, conn => {
        sqlx::query_as("SELECT * FROM passkey WHERE credential_id = $1")
            .bind(letters_of(credential))
            .fetch_optional(conn)
            .await
    })?;
    let Some(row) = row else { return Ok(None) };
    let bad = |what: &str| Failure::Row(format!("{what} of {}", row.id));
    Ok(Some(Kept {
        id: row.id.parse().map_err(|_| bad("id"))?,
        person: row.person_id.parse().map_err(|_| bad("person"))?,
        key: bytes_of(&row.public_key)?,
        may_be_backed_up: row.may_be_backed_up != 0,
        name: row.name,
    }))
}

/// Whether the holder of a passkey answered, and writes down that it was used.
async fn accept(
    studio: &Studio,
    tx: &mut Tx,
    party: &Party,
    (challenge, may_be_nameless): (&Token, bool),
    passkey: &Kept,
    sent: &Asserted,
) -> Result<bool, Failure> {
    let names_another = match sent.user_handle.as_slice() {
        // Who was asked for certain passkeys need not say whose they are.
        [] => !may_be_nameless,
        named => named != passkey.person.to_string().as_bytes(),
    };
    let signed = ceremony::signed(party, challenge, &passkey.key, sent);
    let state = match signed.and_then(State::must_be_verified) {
        Ok(state) => state,
        Err(refusal) => {
            tracing::info!(%refusal, "a passkey was not accepted");
            return Ok(false);
        }
    };
    if names_another || state.may_be_backed_up != passkey.may_be_backed_up {
        tracing::info!("a passkey was not accepted: it is not as it was made");
        return Ok(false);
    }
    let counted = on!(tx, conn => {
        // Authenticators that do not count say 0 each time.
        sqlx::query(
            "UPDATE passkey SET sign_count = $2, is_backed_up = $3, used_ms = $4 WHERE id = $1 \
             AND (sign_count < $2 OR (sign_count = 0 AND CAST($2 AS BIGINT) = 0))",
        )
        .bind(passkey.id.to_string())
        .bind(i64::from(state.sign_count))
        .bind(i64::from(state.is_backed_up))
        .bind(studio.clock.now().as_millis())
        .execute(conn)
        .await
        .map(|done| done.rows_affected())
    })?;
    if counted == 0 {
        let former: Option<i64> = on!(tx, conn => {
            sqlx::query_scalar("SELECT sign_count FROM passkey WHERE id = $1")
                .bind(passkey.id.to_string())
                .fetch_optional(conn)
                .await
        })?;
        if former.is_none() {
            // It was removed just now.
            return Ok(false);
        }
        let name = open_name(studio, passkey.person, passkey.id, &passkey.name).await?;
        let letter = Letter::PasskeyCopied { name };
        tell(studio, tx, passkey.person, &letter).await?;
        tracing::warn!("a passkey whose counter went back was refused");
    }
    Ok(counted == 1)
}
