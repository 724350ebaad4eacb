//! What one thread of this processor can do at most, to measure kernels against.

use std::hint::black_box;
use std::time::Instant;

use super::{Kernel, LANES, Lanes, dispatch};

/// Sums side by side: more than a processor needs to hide how long one multiply-add takes, and
/// few enough to stay in registers.
const CHAINS: usize = 6;
const ROUNDS: u32 = 4_000_000;

/// Billions of f32 operations a second in fused multiply-adds on registers; the best of a few
/// tries, since other programs only ever slow it down.
#[must_use]
pub fn peak_gflops() -> f64 {
    let operations = f64::from(ROUNDS) * (CHAINS * LANES * 2) as f64;
    let tries = (0..5).map(|_| {
        let begun = Instant::now();
        dispatch(Chains);
        operations / begun.elapsed().as_secs_f64() / 1e9
    });
    tries.fold(0.0, f64::max)
}

struct Chains;

impl Kernel for Chains {
    #[inline(always)]
    fn run(self) {
        let mut sums: [Lanes; CHAINS] = black_box([[1.0; LANES]; CHAINS]);
        let (factor, addend): (Lanes, Lanes) = black_box(([0.999_9; LANES], [0.000_1; LANES]));
        for _ in 0..ROUNDS {
            for chain in &mut sums {
                for lane in 0..LANES {
                    chain[lane] = chain[lane].mul_add(factor[lane], addend[lane]);
                }
            }
        }
        black_box(sums);
    }
}
