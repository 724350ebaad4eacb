//! Products of rows with weights that were packed once, when the model was loaded.
//!
//! Weights lie in panels of [`LANES`] outputs: for each input, the sixteen weights side by side.
//! A tile of up to six rows runs along a whole panel with its sums in registers, so that nothing
//! of the rows is packed or copied, and each sum is one chain from the first input to the last.
//! (The blocked product of the BLIS papers splits long sums by cache size and number of rows,
//! which is why it is not used here: its bits change with the batch.)

use std::ops::Range;

use rayon::prelude::*;

use super::{Activation, Canvas, Kernel, LANES, Lanes, dispatch};

/// Rows of a tile: 6 x 16 sums fill twelve of AVX2's sixteen registers.
const TALL: usize = 6;

/// Multiply-adds below which a second thread costs more than it brings.
const WORTH_SPLITTING: usize = 100_000;

/// Weights of `outputs` x `inputs`, packed.
#[derive(Clone, Debug, Default)]
pub(super) struct Panels {
    pub(super) inputs: usize,
    pub(super) outputs: usize,
    packed: Vec<f32>,
}

impl Panels {
    /// Packs weights whose output `o` reads input `i` from `weight(o, i)`.
    #[inline(always)]
    pub(super) fn pack(
        outputs: usize,
        inputs: usize,
        weight: impl Fn(usize, usize) -> f32,
    ) -> Self {
        let mut panels = Self::default();
        panels.repack(outputs, inputs, weight);
        panels
    }

    /// Packs other weights into the same memory.
    #[inline(always)]
    pub(super) fn repack(
        &mut self,
        outputs: usize,
        inputs: usize,
        weight: impl Fn(usize, usize) -> f32,
    ) {
        (self.outputs, self.inputs) = (outputs, inputs);
        self.packed.clear();
        self.packed
            .resize(outputs.div_ceil(LANES) * LANES * inputs, 0.0);
        let panels = self.packed.chunks_exact_mut(LANES * inputs.max(1));
        for (first, panel) in (0..outputs).step_by(LANES).zip(panels) {
            let lanes = LANES.min(outputs - first);
            for (input, side_by_side) in panel.as_chunks_mut::<LANES>().0.iter_mut().enumerate() {
                for (lane, packed) in side_by_side[..lanes].iter_mut().enumerate() {
                    *packed = weight(first + lane, input);
                }
            }
        }
    }

    fn count(&self) -> usize {
        self.outputs.div_ceil(LANES)
    }

    #[inline(always)]
    fn panel(&self, index: usize) -> &[f32] {
        &self.packed[index * LANES * self.inputs..][..LANES * self.inputs]
    }
}

/// The rows that are multiplied: each is `runs` runs of `run` numbers, `stride` apart.
#[derive(Clone, Copy)]
pub(super) struct Rows<'a> {
    pub(super) numbers: &'a [f32],
    pub(super) count: usize,
    pub(super) run: usize,
    pub(super) runs: usize,
    pub(super) stride: usize,
    pub(super) start: Start,
}

/// Where a row begins.
#[derive(Clone, Copy)]
pub(super) enum Start {
    /// One row after the other, this many numbers apart.
    Every(usize),
    /// The 3x3 surroundings of each position of pictures that have a border of one position.
    Window {
        height: usize,
        width: usize,
        channels: usize,
    },
}

impl<'a> Rows<'a> {
    /// Rows of `length` numbers, one after the other.
    #[inline(always)]
    pub(super) fn dense(numbers: &'a [f32], length: usize) -> Self {
        let count = numbers.len() / length.max(1);
        let start = Start::Every(length);
        Self {
            numbers,
            count,
            run: length,
            runs: 1,
            stride: 0,
            start,
        }
    }

    #[inline(always)]
    fn run_of(&self, row: usize, run: usize) -> &'a [f32] {
        let start = match self.start {
            Start::Every(length) => row * length,
            Start::Window {
                height,
                width,
                channels,
            } => {
                let (picture, at) = (row / (height * width), row % (height * width));
                let (y, x) = (at / width, at % width);
                ((picture * (height + 2) + y) * (width + 2) + x) * channels
            }
        };
        &self.numbers[start + run * self.stride..][..self.run]
    }
}

/// What happens to the sums before they are written.
#[derive(Clone, Copy)]
pub(super) struct After<'a> {
    pub(super) bias: &'a [f32],
    pub(super) activation: Activation,
    /// Added at the end, in the shape of the output.
    pub(super) residual: Option<&'a [f32]>,
    pub(super) gate: Option<Gate<'a>>,
}

/// Factors for the sums before the residual is added: one for each output, for each picture.
#[derive(Clone, Copy)]
pub(super) struct Gate<'a> {
    pub(super) numbers: &'a [f32],
    /// Numbers from one picture's factors to the next one's, and where they begin.
    pub(super) stride: usize,
    pub(super) at: usize,
    /// Rows of one picture.
    pub(super) rows: usize,
}

/// Multiplies on the current pool of threads: `rows.count` x `panels.outputs` numbers.
pub(super) fn multiply(rows: Rows<'_>, panels: &Panels, after: After<'_>, output: &mut [f32]) {
    assert_eq!(rows.run * rows.runs, panels.inputs, "inputs");
    assert_eq!(output.len(), rows.count * panels.outputs, "outputs");
    let canvas = Canvas::new(output, panels.outputs);
    let work = rows.count * panels.inputs * panels.outputs;
    let threads = rayon::current_num_threads();
    let wanted = if threads == 1 || work < WORTH_SPLITTING {
        1
    } else {
        threads * 3
    };
    let across = panels.count().min(wanted);
    let down = wanted
        .div_ceil(across.max(1))
        .min(rows.count.div_ceil(TALL));
    let part = |index: usize| Part {
        rows,
        panels,
        after,
        canvas: &canvas,
        which_rows: slice_of(
            rows.count.div_ceil(TALL),
            down,
            index / across,
            TALL,
            rows.count,
        ),
        which_panels: slice_of(panels.count(), across, index % across, 1, panels.count()),
    };
    if across * down == 1 {
        dispatch(part(0));
    } else {
        (0..across * down)
            .into_par_iter()
            .for_each(|index| dispatch(part(index)));
    }
}

/// The `index`-th of `parts` nearly equal spans of `units`, each unit `size` long, up to `end`.
fn slice_of(units: usize, parts: usize, index: usize, size: usize, end: usize) -> Range<usize> {
    let bound = |index: usize| (units * index / parts * size).min(end);
    bound(index)..bound(index + 1)
}

/// How tall the next strip is where so many rows are left. Strips of less than four rows have too
/// few sums to keep the processor busy, so that the last ones share their rows.
#[inline(always)]
const fn height(left: usize) -> usize {
    match left {
        7 | 8 => 4,
        9 => 5,
        ..=TALL => left,
        _ => TALL,
    }
}

struct Part<'a> {
    rows: Rows<'a>,
    panels: &'a Panels,
    after: After<'a>,
    canvas: &'a Canvas<'a>,
    which_rows: Range<usize>,
    which_panels: Range<usize>,
}

impl Kernel for Part<'_> {
    #[inline(always)]
    fn run(self) {
        for panel in self.which_panels.clone() {
            let mut row = self.which_rows.start;
            while row < self.which_rows.end {
                let height = height(self.which_rows.end - row);
                match height {
                    1 => self.strip::<1>(row, panel),
                    2 => self.strip::<2>(row, panel),
                    3 => self.strip::<3>(row, panel),
                    4 => self.strip::<4>(row, panel),
                    5 => self.strip::<5>(row, panel),
                    _ => self.strip::<TALL>(row, panel),
                }
                row += height;
            }
        }
    }
}

impl Part<'_> {
    #[inline(always)]
    fn strip<const R: usize>(&self, row: usize, panel: usize) {
        let sums = strip::<R>(&self.rows, row, self.panels.panel(panel));
        let outputs = self.panels.outputs;
        let column = panel * LANES;
        let columns = LANES.min(outputs - column);
        if columns == LANES {
            return self.finish(row, column, sums);
        }
        for (row, sums) in (row..).zip(sums) {
            let mut lanes = added(sums, &self.after.bias[column..][..columns]);
            lanes = self.after.activation.of(lanes);
            if let Some(gate) = self.after.gate {
                let at = row / gate.rows * gate.stride + gate.at + column;
                let factors = &gate.numbers[at..][..columns];
                for (lane, factor) in lanes.iter_mut().zip(factors) {
                    *lane *= factor;
                }
            }
            if let Some(residual) = self.after.residual {
                lanes = added(lanes, &residual[row * outputs + column..][..columns]);
            }
            self.canvas.write(row, column, &lanes[..columns]);
        }
    }
}

impl Part<'_> {
    /// The same for a whole panel, whose length the compiler knows.
    #[inline(always)]
    fn finish<const R: usize>(&self, row: usize, column: usize, sums: [Lanes; R]) {
        let bias = lanes_at(self.after.bias, column);
        for (row, sums) in (row..).zip(sums) {
            let mut lanes = sums;
            for lane in 0..LANES {
                lanes[lane] += bias[lane];
            }
            lanes = self.after.activation.of(lanes);
            if let Some(gate) = self.after.gate {
                let at = row / gate.rows * gate.stride + gate.at + column;
                let factors = lanes_at(gate.numbers, at);
                for lane in 0..LANES {
                    lanes[lane] *= factors[lane];
                }
            }
            if let Some(residual) = self.after.residual {
                let residual = lanes_at(residual, row * self.panels.outputs + column);
                for lane in 0..LANES {
                    lanes[lane] += residual[lane];
                }
            }
            self.canvas.write_lanes(row, column, &lanes);
        }
    }
}

#[inline(always)]
fn lanes_at(numbers: &[f32], at: usize) -> &Lanes {
    &numbers[at..at + LANES].as_chunks::<LANES>().0[0]
}

#[inline(always)]
fn added(mut lanes: Lanes, other: &[f32]) -> Lanes {
    for (lane, other) in lanes.iter_mut().zip(other) {
        *lane += other;
    }
    lanes
}

/// The products of `R` rows from `row` on with one panel.
#[inline(always)]
fn strip<const R: usize>(rows: &Rows<'_>, row: usize, panel: &[f32]) -> [Lanes; R] {
    let mut sums = [[0.0; LANES]; R];
    for run in 0..rows.runs {
        let panel = &panel[run * rows.run * LANES..][..rows.run * LANES];
        tile(
            std::array::from_fn(|r| rows.run_of(row + r, run)),
            panel,
            &mut sums,
        );
    }
    sums
}

/// Adds the products of `R` rows with a panel to sums.
#[inline(always)]
fn tile<const R: usize>(rows: [&[f32]; R], panel: &[f32], sums: &mut [Lanes; R]) {
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
        return tile_with_avx2(rows, panel, sums);
    }
    tile_of_any_processor(rows, panel, sums);
}

#[cfg(target_arch = "x86_64")]
#[inline(always)]
#[expect(
    unsafe_code,
    reason = "calls a function compiled for a newer processor"
)]
fn tile_with_avx2<const R: usize>(rows: [&[f32]; R], panel: &[f32], sums: &mut [Lanes; R]) {
    /// Alone in its function: inlined where the sums are used in other ways, the compiler may keep
    /// them in registers of half the width, or in memory.
    #[inline(never)]
    #[target_feature(enable = "avx2,fma")]
    fn alone<const R: usize>(rows: [&[f32]; R], panel: &[f32], sums: &mut [Lanes; R]) {
        tile_of_any_processor(rows, panel, sums);
    }
    // SAFETY: only `tile` calls this, after it has found both features.
    unsafe { alone(rows, panel, sums) }
}

#[inline(always)]
#[expect(
    unsafe_code,
    reason = "a check for each number of a row takes as long as its products"
)]
fn tile_of_any_processor<const R: usize>(rows: [&[f32]; R], panel: &[f32], sums: &mut [Lanes; R]) {
    let steps = panel.as_chunks::<LANES>().0;
    assert!(rows.iter().all(|row| row.len() >= steps.len()));
    let mut local = *sums;
    for (i, weights) in steps.iter().enumerate() {
        // A copy stays in registers for all rows; a reference is read anew for each of them.
        let weights = *weights;
        for r in 0..R {
            // SAFETY: every row has as many numbers as there are steps, as was asserted above.
            let x = unsafe { *rows[r].get_unchecked(i) };
            for lane in 0..LANES {
                local[r][lane] = x.mul_add(weights[lane], local[r][lane]);
            }
        }
    }
    *sums = local;
}

/// The same product for use inside another kernel: no threads, nothing after it.
#[inline(always)]
pub(super) fn multiply_here(
    rows: Rows<'_>,
    panels: &Panels,
    mut write: impl FnMut(usize, usize, &Lanes),
) {
    for panel in 0..panels.count() {
        let weights = panels.panel(panel);
        let mut row = 0;
        while row < rows.count {
            let height = height(rows.count - row);
            match height {
                4 => hand_out(row, panel, &strip::<4>(&rows, row, weights), &mut write),
                5 => hand_out(row, panel, &strip::<5>(&rows, row, weights), &mut write),
                TALL => hand_out(row, panel, &strip::<TALL>(&rows, row, weights), &mut write),
                _ => {
                    for row in row..row + height {
                        hand_out(row, panel, &strip::<1>(&rows, row, weights), &mut write);
                    }
                }
            }
            row += height;
        }
    }
}

#[inline(always)]
fn hand_out(
    row: usize,
    panel: usize,
    sums: &[Lanes],
    write: &mut impl FnMut(usize, usize, &Lanes),
) {
    for (row, lanes) in (row..).zip(sums) {
        write(row, panel * LANES, lanes);
    }
}
