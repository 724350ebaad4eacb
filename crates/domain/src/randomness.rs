//! Randomness, passed in: a test gives a seed and gets the same ids again.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use rand::rngs::SysRng;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha20Rng;

/// A cryptographically strong generator, shared by its clones.
#[derive(Clone)]
pub struct Randomness(Arc<Mutex<ChaCha20Rng>>);

impl Randomness {
    /// Seeded from the operating system.
    ///
    /// # Panics
    /// If the operating system has no randomness to give, since nothing is safe then.
    #[must_use]
    pub fn system() -> Self {
        Self::from(ChaCha20Rng::from_rng(&mut rand::rand_core::UnwrapErr(
            SysRng,
        )))
    }

    /// The same numbers each time, for tests.
    #[must_use]
    pub fn seeded(seed: u64) -> Self {
        Self::from(ChaCha20Rng::seed_from_u64(seed))
    }

    fn from(rng: ChaCha20Rng) -> Self {
        Self(Arc::new(Mutex::new(rng)))
    }

    pub fn fill(&self, bytes: &mut [u8]) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .fill_bytes(bytes);
    }

    #[must_use]
    pub fn next_u32(&self) -> u32 {
        let mut bytes = [0; 4];
        self.fill(&mut bytes);
        u32::from_le_bytes(bytes)
    }

    #[must_use]
    pub fn next_u128(&self) -> u128 {
        let mut bytes = [0; 16];
        self.fill(&mut bytes);
        u128::from_le_bytes(bytes)
    }
}

impl fmt::Debug for Randomness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Randomness")
    }
}
