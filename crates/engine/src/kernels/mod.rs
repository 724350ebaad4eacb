//! The arithmetic that pictures are made of, for the processor.
//!
//! Each kernel is a candle custom operation in a file of its own, beside a plain reference in
//! its tests. All of them keep two invariants:
//!
//! - **One order of sums.** Every number comes out of one chain of fused multiply-adds (or of a
//!   fixed tree of sixteen partial sums) whose order depends on the operands' own length alone:
//!   never on the number of threads, on the other pictures of a batch, or on the width of the
//!   processor's registers. The same brief therefore gives the same bits anywhere.
//! - **Channels last.** Activations are `[.., positions, channels]`, row by row.
//!
//! The bodies are plain Rust over arrays of [`LANES`] numbers, compiled a second time for AVX2
//! with FMA, which is chosen at run time. No other module may hold unsafe code, but for the
//! memory map in [`crate::weights`].

mod activation;
mod attention;
mod convolution;
mod linear;
mod matrix;
mod norm;
mod peak;

pub use activation::Activation;
pub use attention::{Attention, HeadNorms, Pair};
pub use convolution::Conv3x3;
pub use linear::Linear;
pub use norm::{LayerNorm, ModulatedNorm};
pub use peak::peak_gflops;

use candle_core::{CpuStorage, Layout, Result, bail};

/// Numbers that the bodies work on side by side: two AVX2 registers, or four of NEON.
pub(crate) const LANES: usize = 16;

type Lanes = [f32; LANES];

/// Work whose body is compiled for several instruction sets. `run` and everything that it calls
/// must be `#[inline(always)]`, or it stays compiled for the oldest one.
trait Kernel {
    fn run(self);
}

fn dispatch(kernel: impl Kernel) {
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
        return with_avx2(kernel);
    }
    kernel.run();
}

#[cfg(target_arch = "x86_64")]
#[expect(
    unsafe_code,
    reason = "calls a function compiled for a newer processor"
)]
fn with_avx2(kernel: impl Kernel) {
    #[target_feature(enable = "avx2,fma")]
    fn run(kernel: impl Kernel) {
        kernel.run();
    }
    // SAFETY: only `dispatch` calls this, after it has found both features.
    unsafe { run(kernel) }
}

/// The sum of all lanes, always in the same tree.
#[inline(always)]
fn sum_of_lanes(mut lanes: Lanes) -> f32 {
    let mut width = LANES / 2;
    while width > 0 {
        for lane in 0..width {
            lanes[lane] += lanes[lane + width];
        }
        width /= 2;
    }
    lanes[0]
}

/// The numbers behind a contiguous tensor of f32.
fn floats<'a>(storage: &'a CpuStorage, layout: &Layout) -> Result<&'a [f32]> {
    let Some((start, end)) = layout.contiguous_offsets() else {
        bail!("the tensor must be contiguous");
    };
    Ok(&storage.as_slice::<f32>()?[start..end])
}

/// Where several threads write disjoint parts of one output at the same time.
struct Canvas<'a> {
    start: *mut f32,
    columns: usize,
    rows: usize,
    output: std::marker::PhantomData<&'a mut [f32]>,
}

impl<'a> Canvas<'a> {
    fn new(output: &'a mut [f32], columns: usize) -> Self {
        let rows = output.len() / columns.max(1);
        Self {
            start: output.as_mut_ptr(),
            columns,
            rows,
            output: std::marker::PhantomData,
        }
    }

    /// Writes into one row from `column` on.
    ///
    /// Callers give each thread its own rows or its own columns.
    #[inline(always)]
    fn write_lanes(&self, row: usize, column: usize, lanes: &Lanes) {
        // Of a length that the compiler knows, so that it becomes two stores and no call.
        self.write(row, column, lanes);
    }

    /// The same for any number of values.
    #[inline(always)]
    #[expect(unsafe_code, reason = "columns of one buffer can't be lent as slices")]
    fn write(&self, row: usize, column: usize, values: &[f32]) {
        assert!(
            row < self.rows && column + values.len() <= self.columns,
            "outside the output"
        );
        // SAFETY: the span lies inside the exclusively borrowed output (checked just above), and
        // the kernels split their work so that no two threads write, and none reads, one span.
        unsafe {
            let to = self.start.add(row * self.columns + column);
            to.copy_from_nonoverlapping(values.as_ptr(), values.len());
        }
    }
}

#[expect(
    unsafe_code,
    reason = "the raw pointer hides that the output may be shared"
)]
// SAFETY: all that a shared canvas can do is `write`, whose spans are disjoint between threads.
unsafe impl Sync for Canvas<'_> {}

#[cfg(test)]
mod testing {
    //! Numbers and comparisons for the kernels' tests.

    use candle_core::{Device, Tensor};
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    /// Numbers from -1 to 1, the same for the same seed.
    pub(super) fn numbers(seed: u64, count: usize) -> Vec<f32> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let unit = |bits: u32| f64::from(bits) / f64::from(u32::MAX);
        (0..count)
            .map(|_| (unit(rng.next_u32()) * 2.0 - 1.0) as f32)
            .collect()
    }

    pub(super) fn tensor(seed: u64, shape: &[usize]) -> Tensor {
        Tensor::from_vec(numbers(seed, shape.iter().product()), shape, &Device::Cpu)
            .expect("a tensor")
    }

    pub(super) fn values(tensor: &Tensor) -> Vec<f32> {
        tensor
            .flatten_all()
            .and_then(|flat| flat.to_vec1())
            .expect("numbers")
    }

    #[track_caller]
    pub(super) fn assert_close(found: &[f32], expected: &[f32], tolerance: f32) {
        assert_eq!(found.len(), expected.len());
        for (at, (f, e)) in found.iter().zip(expected).enumerate() {
            assert!(
                (f - e).abs() <= tolerance * e.abs().max(1.0),
                "[{at}]: {f} instead of {e}"
            );
        }
    }

    /// The same work on one and on three threads.
    pub(super) fn on_threads<R: Send>(count: usize, work: impl FnOnce() -> R + Send) -> R {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(count)
            .build()
            .expect("a pool");
        pool.install(work)
    }
}
