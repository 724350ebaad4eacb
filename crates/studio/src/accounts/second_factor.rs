//! One-time codes of an authenticator (TOTP, RFC 6238), and recovery codes for when it is lost.

use db::{Tx, on};
use domain::ids::{PersonId, SessionId};
use domain::randomness::Randomness;
use domain::secret::Token;
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use sha2::{Digest, Sha256};

use super::{hex, person, session};
use crate::letters::{self, Letter};
use crate::privacy::inventory::Purpose;
use crate::privacy::keys::{Place, Reading};
use crate::{Failure, Studio};

const SECRET_BYTES: usize = 20;
const STEP_S: i64 = 30;
const SECRET: Place = Place::new("totp", "secret");
const READ_SECRET: Reading = SECRET.read_for(Purpose::Account);
/// A clock may be this many steps off.
const SLACK_STEPS: i64 = 1;
pub const RECOVERY_CODES: usize = 10;
/// Letters and digits that can't be taken for one another; 32 of them, five bits each.
const CODE_LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
const CODE_CHARS: usize = 12;

/// What an authenticator computes codes from. It can't be printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret([u8; SECRET_BYTES]);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(…)")
    }
}

const BASE32: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

impl Secret {
    fn new(randomness: &Randomness) -> Self {
        let mut bytes = [0; SECRET_BYTES];
        randomness.fill(&mut bytes);
        Self(bytes)
    }

    /// In base32, for typing it into an authenticator.
    #[must_use]
    pub fn expose(&self) -> String {
        let fives = self.0.chunks(5).flat_map(|chunk| {
            let number = chunk
                .iter()
                .fold(0_u64, |sum, byte| (sum << 8) | u64::from(*byte));
            (0..8).rev().map(move |place| (number >> (5 * place)) & 31)
        });
        fives
            .map(|five| char::from(BASE32[five as usize]))
            .collect()
    }

    fn read(text: &str) -> Option<Self> {
        let mut bytes = Vec::new();
        for chunk in text.as_bytes().chunks(8) {
            let mut number = 0_u64;
            for letter in chunk {
                let five = BASE32.iter().position(|known| known == letter)?;
                number = (number << 5) | five as u64;
            }
            bytes.extend_from_slice(&number.to_be_bytes()[3..]);
        }
        bytes.try_into().ok().map(Self)
    }

    /// As an authenticator reads it from a QR code.
    #[must_use]
    pub fn uri(&self, house: &str, account: &str) -> String {
        let plain = |text: &str| -> String {
            let keep = |b: u8| b.is_ascii_alphanumeric() || b"-._~".contains(&b);
            text.bytes()
                .map(|b| {
                    if keep(b) {
                        char::from(b).to_string()
                    } else {
                        format!("%{b:02X}")
                    }
                })
                .collect()
        };
        let (house, account) = (plain(house), plain(account));
        format!(
            "otpauth://totp/{house}:{account}?secret={}&issuer={house}",
            self.expose()
        )
    }

    fn code(&self, step: i64) -> u32 {
        let mut mac = Hmac::<Sha1>::new_from_slice(&self.0).expect("any length is a key");
        mac.update(&step.to_be_bytes());
        let digest = mac.finalize().into_bytes();
        let at = usize::from(digest[19] & 15);
        let word = [digest[at], digest[at + 1], digest[at + 2], digest[at + 3]];
        (u32::from_be_bytes(word) & 0x7fff_ffff) % 1_000_000
    }
}

#[derive(Debug, thiserror::Error)]
pub enum CodeError {
    #[error(
        "That code is wrong or was used already. Wait for the next one, and check the clock of your phone."
    )]
    Wrong,
    #[error(transparent)]
    Failure(#[from] Failure),
}

failures!(CodeError);

/// Whether signing in takes a code.
pub async fn is_on(studio: &Studio, person: PersonId) -> Result<bool, Failure> {
    let mut tx = studio.db.read().await?;
    is_on_in(&mut tx, person).await
}

pub(crate) async fn is_on_in(tx: &mut Tx, person: PersonId) -> Result<bool, Failure> {
    let on: Option<i64> = on!(tx, conn => {
        sqlx::query_scalar(
            "SELECT confirmed_ms FROM totp WHERE person_id = $1 AND confirmed_ms IS NOT NULL",
        )
        .bind(person.to_string())
        .fetch_optional(conn)
        .await
    })?;
    Ok(on.is_some())
}

/// How many recovery codes are left.
pub async fn recovery_codes_left(studio: &Studio, person: PersonId) -> Result<u32, Failure> {
    let mut tx = studio.db.read().await?;
    let left: i64 = on!(tx, conn => {
        sqlx::query_scalar("SELECT COUNT(*) FROM recovery_code WHERE person_id = $1")
            .bind(person.to_string())
            .fetch_one(conn)
            .await
    })?;
    Ok(u32::try_from(left).unwrap_or(u32::MAX))
}

/// The secret to be put into an authenticator; the same until its first code is shown. `None`
/// where codes are on already: then the secret is shown to nobody.
pub async fn begin(studio: &Studio, person: PersonId) -> Result<Option<Secret>, Failure> {
    let id = person.to_string();
    let cipher = studio.keys.of(person).await?;
    let fresh = Secret::new(&studio.randomness);
    let sealed = cipher.seal(SECRET, &id, &fresh.expose());
    let mut tx = studio.db.write().await?;
    on!(tx, conn => {
        sqlx::query(
            "INSERT INTO totp (person_id, secret, last_step) VALUES ($1, $2, 0) \
             ON CONFLICT (person_id) DO NOTHING",
        )
        .bind(person.to_string())
        .bind(sealed.as_str())
        .execute(conn)
        .await
        .map(|done| done.rows_affected())
    })?;
    let row: Option<String> = on!(tx, conn => {
        sqlx::query_scalar("SELECT secret FROM totp WHERE person_id = $1 AND confirmed_ms IS NULL")
            .bind(person.to_string())
            .fetch_optional(conn)
            .await
    })?;
    tx.commit().await?;
    let secret = cipher.open_some(READ_SECRET, &id, row.as_deref())?;
    Ok(secret.and_then(|secret| Secret::read(secret.expose())))
}

/// Turns codes on, once a first one shows that the authenticator has the secret. Gives the
/// recovery codes, which are shown this once, and the session's new token: the others end.
pub async fn confirm(
    studio: &Studio,
    (person, id): (PersonId, SessionId),
    code: &str,
) -> Result<(Vec<String>, Token), CodeError> {
    let mut tx = studio.db.write().await?;
    if is_on_in(&mut tx, person).await? || !take_totp(studio, &mut tx, person, code).await? {
        return Err(CodeError::Wrong);
    }
    on!(tx, conn => {
        sqlx::query("UPDATE totp SET confirmed_ms = $2 WHERE person_id = $1")
            .bind(person.to_string())
            .bind(studio.clock.now().as_millis())
            .execute(conn)
            .await
            .map(|done| done.rows_affected())
    })?;
    let codes = new_recovery_codes(studio, &mut tx, person).await?;
    let token = changed(studio, &mut tx, person, id).await?;
    tx.commit().await?;
    Ok((codes, token))
}

/// Turns codes off again.
pub async fn turn_off(
    studio: &Studio,
    (person, id): (PersonId, SessionId),
) -> Result<Token, Failure> {
    let mut tx = studio.db.write().await?;
    on!(tx, conn => {
        sqlx::query("DELETE FROM totp WHERE person_id = $1")
            .bind(person.to_string())
            .execute(conn)
            .await
            .map(|done| done.rows_affected())
    })?;
    forget_recovery_codes(&mut tx, person).await?;
    let token = changed(studio, &mut tx, person, id).await?;
    tx.commit().await?;
    Ok(token)
}

/// How one signs in has changed: other sessions end, this one gets a new token, and a letter says
/// so.
async fn changed(
    studio: &Studio,
    tx: &mut Tx,
    person: PersonId,
    id: SessionId,
) -> Result<Token, Failure> {
    session::end_others_in(tx, person, id).await?;
    let address = person::address_of(studio, tx, person).await?;
    let letter = Letter::SecurityChanged;
    letters::enqueue(studio, tx, Some(person), address.as_ref(), &letter).await?;
    session::rotate(studio, tx, id).await
}

/// Whether a code is right: one of the authenticator, or a recovery code. Each is taken once.
pub(crate) async fn take(
    studio: &Studio,
    tx: &mut Tx,
    person: PersonId,
    code: &str,
) -> Result<bool, Failure> {
    let code: String = code
        .chars()
        .filter(|c| c.is_ascii_alphanumeric())
        .take(2 * CODE_CHARS)
        .collect();
    if code.len() == CODE_CHARS {
        let used = on!(tx, conn => {
            sqlx::query("DELETE FROM recovery_code WHERE person_id = $1 AND code_hash = $2")
                .bind(person.to_string())
                .bind(hash_code(&code))
                .execute(conn)
                .await
                .map(|done| done.rows_affected())
        })?;
        return Ok(used == 1);
    }
    take_totp(studio, tx, person, &code).await
}

async fn take_totp(
    studio: &Studio,
    tx: &mut Tx,
    person: PersonId,
    code: &str,
) -> Result<bool, Failure> {
    let code: String = code.chars().filter(char::is_ascii_digit).take(7).collect();
    let row: Option<(String, i64)> = on!(tx, conn => {
        sqlx::query_as("SELECT secret, last_step FROM totp WHERE person_id = $1")
            .bind(person.to_string())
            .fetch_optional(conn)
            .await
    })?;
    let (Some((secret, last)), Ok(code)) = (row, code.parse::<u32>()) else {
        return Ok(false);
    };
    let cipher = studio.keys.of(person).await?;
    let secret = cipher.open(READ_SECRET, &person.to_string(), &secret)?;
    let secret = Secret::read(secret.expose()).ok_or_else(|| Failure::Row("secret".to_owned()))?;
    let now = studio.clock.now().as_seconds().div_euclid(STEP_S);
    let mut near = now - SLACK_STEPS..=now + SLACK_STEPS;
    let Some(step) = near.find(|step| *step > last && secret.code(*step) == code) else {
        return Ok(false);
    };
    let taken = on!(tx, conn => {
        sqlx::query("UPDATE totp SET last_step = $2 WHERE person_id = $1 AND last_step < $2")
            .bind(person.to_string())
            .bind(step)
            .execute(conn)
            .await
            .map(|done| done.rows_affected())
    })?;
    Ok(taken == 1)
}

async fn new_recovery_codes(
    studio: &Studio,
    tx: &mut Tx,
    person: PersonId,
) -> Result<Vec<String>, Failure> {
    forget_recovery_codes(tx, person).await?;
    let mut codes = Vec::new();
    for _ in 0..RECOVERY_CODES {
        let mut bytes = [0; CODE_CHARS];
        studio.randomness.fill(&mut bytes);
        let letter = |byte: u8| char::from(CODE_LETTERS[usize::from(byte & 31)]);
        let code: String = bytes.into_iter().map(letter).collect();
        on!(tx, conn => {
            sqlx::query("INSERT INTO recovery_code (person_id, code_hash) VALUES ($1, $2)")
                .bind(person.to_string())
                .bind(hash_code(&code))
                .execute(conn)
                .await
                .map(|done| done.rows_affected())
        })?;
        codes.push(format!("{}-{}-{}", &code[..4], &code[4..8], &code[8..]));
    }
    Ok(codes)
}

async fn forget_recovery_codes(tx: &mut Tx, person: PersonId) -> Result<(), Failure> {
    on!(tx, conn => {
        sqlx::query("DELETE FROM recovery_code WHERE person_id = $1")
            .bind(person.to_string())
            .execute(conn)
            .await
            .map(|done| done.rows_affected())
    })?;
    Ok(())
}

/// Sixty random bits need no slow hash: nobody counts through them.
fn hash_code(code: &str) -> String {
    hex(&Sha256::digest(code.to_ascii_lowercase()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 6238, appendix B, for SHA-1, the last six of its eight digits.
    #[test]
    fn codes_are_those_of_the_standard() {
        let secret = Secret(*b"12345678901234567890");
        for (second, code) in [
            (59, 287_082),
            (1_111_111_109, 81_804),
            (1_111_111_111, 50_471),
            (1_234_567_890, 5_924),
            (2_000_000_000, 279_037),
            (20_000_000_000, 353_130),
        ] {
            assert_eq!(secret.code(second / STEP_S), code, "{second}");
        }
        assert_eq!(secret.expose(), "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ");
        assert_eq!(Secret::read(&secret.expose()), Some(secret.clone()));
        assert!(!format!("{secret:?}").contains("GEZ"));
        assert_eq!(
            secret.uri("Pinhole", "anna@example.org"),
            "otpauth://totp/Pinhole:anna%40example.org?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=Pinhole"
        );
    }
}
