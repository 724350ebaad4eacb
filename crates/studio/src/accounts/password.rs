//! Passwords: hashed with Argon2id at OWASP's floor, on blocking threads, behind a queue of
//! limited length, so that a crowd at the door can't take the machine away from those inside.

use std::num::NonZeroUsize;

use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, Version};
use domain::personal::{Address, Password};
use domain::randomness::Randomness;
use tokio::sync::{Semaphore, SemaphorePermit};

/// 19 MiB and two passes, the first line of OWASP's list.
const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;
const SALT_BYTES: usize = 16;
/// Who waits for a hash, besides those that run.
const MAX_WAITING: usize = 24;
/// Places that are kept for people on devices that they signed in on before.
const MAX_WAITING_KNOWN: usize = 8;
/// Fewer guesses than this and a password falls on the first day.
const MIN_GUESSES: u64 = 1_000_000;

/// An Argon2id hash as a PHC string. It can't be printed.
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash(String);

impl PasswordHash {
    pub(crate) const fn stored(text: String) -> Self {
        Self(text)
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PasswordHash(…)")
    }
}

/// Too many people wait for a hash; trying again in a moment helps.
#[derive(Clone, Copy, Debug, thiserror::Error, PartialEq, Eq)]
#[error("Too many people are signing in at this moment. Try again in {RETRY_AFTER_S} seconds.")]
pub struct Busy;

pub const RETRY_AFTER_S: u32 = 5;

/// The queue before the hashing.
#[derive(Debug)]
pub struct Hasher {
    running: Semaphore,
    waiting: Semaphore,
    waiting_known: Semaphore,
}

impl Default for Hasher {
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        // Half of the machine, so that the rest goes on while many sign in.
        Self {
            running: Semaphore::new((cores / 2).max(1)),
            waiting: Semaphore::new(MAX_WAITING),
            waiting_known: Semaphore::new(MAX_WAITING_KNOWN),
        }
    }
}

impl Hasher {
    /// A place in the queue. Take one before looking up whose password it is, so that being told
    /// to wait says nothing about who has an account.
    pub(crate) fn queue(&self, is_known_device: bool) -> Result<Place<'_>, Busy> {
        let known = is_known_device
            .then(|| self.waiting_known.try_acquire().ok())
            .flatten();
        let waits = known.or_else(|| self.waiting.try_acquire().ok());
        Ok(Place {
            hasher: self,
            _waits: waits.ok_or(Busy)?,
        })
    }
}

#[derive(Debug)]
pub(crate) struct Place<'a> {
    hasher: &'a Hasher,
    _waits: SemaphorePermit<'a>,
}

impl Place<'_> {
    pub(crate) async fn hash(self, password: Password, randomness: &Randomness) -> PasswordHash {
        let mut salt = [0; SALT_BYTES];
        randomness.fill(&mut salt);
        self.run(move || make(&password, &salt)).await
    }

    /// Whether the password is the one that was hashed. Without a hash it takes as long, and the
    /// answer is no.
    pub(crate) async fn verify(self, password: Password, hash: Option<PasswordHash>) -> bool {
        self.run(move || {
            let expected = hash
                .as_ref()
                .map_or_else(|| nobodys(), |hash| hash.as_str());
            let parsed = argon2::password_hash::phc::PasswordHash::new(expected);
            let same = parsed.is_ok_and(|parsed| {
                argon2()
                    .verify_password(password.expose().as_bytes(), &parsed)
                    .is_ok()
            });
            same && hash.is_some()
        })
        .await
    }

    async fn run<T: Send + 'static>(self, work: impl FnOnce() -> T + Send + 'static) -> T {
        // It is never closed; and without a permit the work is merely not slowed down.
        let _runs = self.hasher.running.acquire().await.ok();
        match tokio::task::spawn_blocking(work).await {
            Ok(done) => done,
            Err(broken) => std::panic::resume_unwind(broken.into_panic()),
        }
    }
}

fn argon2() -> Argon2<'static> {
    let params = Params::new(MEMORY_KIB, PASSES, 1, None).unwrap_or(Params::DEFAULT);
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
}

fn make(password: &Password, salt: &[u8]) -> PasswordHash {
    let made = argon2().hash_password_with_salt(password.expose().as_bytes(), salt);
    PasswordHash(
        made.expect("the lengths are within Argon2's limits")
            .to_string(),
    )
}

/// The hash of a password that nobody has, to be compared with where there is none.
fn nobodys() -> &'static str {
    static HASH: std::sync::LazyLock<String> = std::sync::LazyLock::new(|| {
        let nobody = Password::new("nobody has this one").expect("long enough");
        make(&nobody, &[7; SALT_BYTES]).0
    });
    &HASH
}

#[derive(Clone, Copy, Debug, thiserror::Error, PartialEq, Eq)]
#[error(
    "That password is one of the first that are tried: it is in lists of leaked ones, or close to \
     the address. Choose another; a few words make a good one."
)]
pub struct Guessable;

/// Refuses what a guesser tries first: leaked passwords, keyboard rows, the address itself. There
/// are no rules about which characters it holds.
pub fn check(password: &Password, address: &Address) -> Result<(), Guessable> {
    let own: Vec<&str> = address
        .expose()
        .split(['@', '.', '+', '-', '_'])
        .filter(|part| part.len() > 2)
        .chain([address.expose(), "pinhole"])
        .collect();
    let guesses = zxcvbn::zxcvbn(password.expose(), &own).guesses();
    if guesses < MIN_GUESSES {
        Err(Guessable)
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn password(text: &str) -> Password {
        Password::new(text).expect("a password")
    }

    #[tokio::test]
    async fn promise_acc_02_passwords_are_hashed_at_the_floor_or_above() {
        let hasher = Hasher::default();
        let randomness = Randomness::seeded(3);
        let place = hasher.queue(false).expect("free");
        let hash = place
            .hash(password("three green apples"), &randomness)
            .await;
        assert!(hash.as_str().starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
        let right = hasher.queue(false).expect("free");
        assert!(
            right
                .verify(password("three green apples"), Some(hash.clone()))
                .await
        );
        let wrong = hasher.queue(false).expect("free");
        assert!(
            !wrong
                .verify(password("three green apple"), Some(hash))
                .await
        );
        let nobody = hasher.queue(false).expect("free");
        assert!(!nobody.verify(password("nobody has this one"), None).await);
    }

    #[test]
    fn the_queue_is_bounded_and_keeps_places_for_known_devices() {
        let hasher = Hasher::default();
        let crowd: Vec<_> = (0..MAX_WAITING).map(|_| hasher.queue(false)).collect();
        assert!(crowd.iter().all(Result::is_ok));
        assert_eq!(hasher.queue(false).expect_err("full"), Busy);
        assert!(hasher.queue(true).is_ok());
        drop(crowd);
        assert!(hasher.queue(false).is_ok());
    }

    #[test]
    fn promise_acc_02_leaked_passwords_are_refused_without_rules_of_composition() {
        let address = Address::new("anna.lindqvist@example.org").expect("an address");
        for known in [
            "password",
            "12345678",
            "qwertyuiop",
            "iloveyou1",
            "Password1!",
            "lindqvist",
            "pinhole1",
        ] {
            assert_eq!(check(&password(known), &address), Err(Guessable), "{known}");
        }
        for fine in ["three green apples", "aaaa lower only words", "9f2kq0zzw1"] {
            assert_eq!(check(&password(fine), &address), Ok(()), "{fine}");
        }
    }
}
