//! The noise that a picture begins as, from its seed alone.
//!
//! Exactly: the 32-byte key is the seed's four bytes, least significant first, and 28 zeros. ChaCha
//! with 20 rounds, nonce and counter zero, gives 32-bit words w0, w1, ... Each pair gives two
//! numbers (Box & Muller 1958): with u = (w0 + 1) / 2^32 and a = 2 pi w1 / 2^32, they are
//! sqrt(-2 ln u) cos a and sqrt(-2 ln u) sin a, worked out in f64 and rounded to f32. Logarithm,
//! sine and cosine are software, so that no platform differs.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha20Rng;

/// Standard normal numbers.
#[must_use]
pub fn normal(seed: u32, count: usize) -> Vec<f32> {
    const WORDS: f64 = 4_294_967_296.0;
    let mut key = [0; 32];
    key[..4].copy_from_slice(&seed.to_le_bytes());
    let mut words = ChaCha20Rng::from_seed(key);
    let mut numbers = Vec::with_capacity(count + 1);
    while numbers.len() < count {
        let u = (f64::from(words.next_u32()) + 1.0) / WORDS;
        let angle = std::f64::consts::TAU * f64::from(words.next_u32()) / WORDS;
        let radius = libm::sqrt(-2.0 * libm::log(u));
        numbers.push((radius * libm::cos(angle)) as f32);
        numbers.push((radius * libm::sin(angle)) as f32);
    }
    numbers.truncate(count);
    numbers
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_standard_normal() {
        let numbers = normal(7, 200_000);
        let count = numbers.len() as f64;
        let moment = |power: i32| {
            numbers
                .iter()
                .map(|x| f64::from(*x).powi(power))
                .sum::<f64>()
                / count
        };
        assert!(moment(1).abs() < 0.01, "mean {}", moment(1));
        assert!((moment(2) - 1.0).abs() < 0.02, "variance {}", moment(2));
        assert!(moment(3).abs() < 0.05, "skew {}", moment(3));
        assert!((moment(4) - 3.0).abs() < 0.1, "kurtosis {}", moment(4));
    }

    #[test]
    fn a_seed_gives_the_same_numbers_and_another_gives_others() {
        assert_eq!(normal(1, 5), normal(1, 6)[..5]);
        assert_ne!(normal(1, 5), normal(2, 5));
    }
}
