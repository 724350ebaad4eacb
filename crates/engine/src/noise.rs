//! The noise that a picture begins as, from its seed alone.
//!
//! Exactly: the 32-byte key is the seed's four bytes, least significant first, and 28 zeros. ChaCha
//! with 20 rounds, nonce and counter zero, gives 32-bit words w0, w1, ... Each pair gives two
//! numbers (Box & Muller 1958): with u = (w0 + 1) / 2^32 and a = 2 pi w1 / 2^32, they are
//! sqrt(-2 ln u) cos a and sqrt(-2 ln u) sin a, worked out in f64 and rounded to f32. Logarithm,
//! sine and cosine are software, so that no platform differs.

use domain::painter::Brief;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha20Rng;

/// How much of a variation's noise is its own: the sine of the angle by which it is turned away from
/// its parent's. The numbers stay standard normal, since both noises are and neither knows the other.
const OWN_SHARE: f64 = 0.5;

/// The noise of a brief: its seed's, or what its ancestors leave of it.
#[must_use]
pub fn of(brief: &Brief, count: usize) -> Vec<f32> {
    let mut line = brief.ancestors.iter().chain([&brief.seed]);
    let mut noise = line
        .next()
        .map_or_else(Vec::new, |eldest| normal(*eldest, count));
    let kept = libm::sqrt(1.0 - OWN_SHARE * OWN_SHARE);
    for seed in line {
        for (number, own) in noise.iter_mut().zip(normal(*seed, count)) {
            *number = (kept * f64::from(*number) + OWN_SHARE * f64::from(own)) as f32;
        }
    }
    noise
}

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

    fn brief(ancestors: &[u32], seed: u32) -> Brief {
        Brief {
            prompt: domain::prompt::Prompt::new("a cat").expect("words"),
            negative_prompt: None,
            size: domain::picture::Size::square(64),
            background: domain::picture::Background::Opaque,
            steps: 1,
            guidance: 1.0,
            seed,
            ancestors: ancestors.to_vec(),
            previews: 0,
        }
    }

    /// Cosine of the angle between two noises.
    fn likeness(a: &[f32], b: &[f32]) -> f64 {
        let dot = |a: &[f32], b: &[f32]| -> f64 {
            let products = a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b));
            products.sum()
        };
        dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
    }

    #[test]
    fn a_variation_is_like_its_parent_and_no_quieter() {
        let count = 200_000;
        let parent = of(&brief(&[], 7), count);
        assert_eq!(parent, normal(7, count), "a picture of its own");
        let (one, other) = (of(&brief(&[7], 8), count), of(&brief(&[7], 9), count));
        let grandchild = of(&brief(&[7, 8], 9), count);
        let kept = (1.0 - OWN_SHARE * OWN_SHARE).sqrt();
        assert!((likeness(&parent, &one) - kept).abs() < 0.01);
        assert!((likeness(&one, &other) - kept * kept).abs() < 0.01);
        assert!((likeness(&one, &grandchild) - kept).abs() < 0.01);
        assert!((likeness(&parent, &grandchild) - kept * kept).abs() < 0.01);
        for noise in [one, other, grandchild] {
            let power = noise.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>();
            assert!((power / count as f64 - 1.0).abs() < 0.02);
        }
    }

    #[test]
    fn a_seed_gives_the_same_numbers_and_another_gives_others() {
        assert_eq!(normal(1, 5), normal(1, 6)[..5]);
        assert_ne!(normal(1, 5), normal(2, 5));
    }
}
