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
        for output in 0..outputs {
            let at = output / LANES * LANES * inputs + output % LANES;
            for input in 0..inputs {
                self.packed[at + input * LANES] = weight(output, input);
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
            for row in self.which_rows.clone().step_by(TALL) {
                match self.which_rows.end - row {
                    1 => self.strip::<1>(row, panel),
                    2 => self.strip::<2>(row, panel),
                    3 => self.strip::<3>(row, panel),
                    4 => self.strip::<4>(row, panel),
                    5 => self.strip::<5>(row, panel),
                    _ => self.strip::<TALL>(row, panel),
                }
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

#[inline(always)]
fn tile<const R: usize>(rows: [&[f32]; R], panel: &[f32], sums: &mut [Lanes; R]) {
    let steps = panel.as_chunks::<LANES>().0;
    // With lengths that the compiler sees to be equal, it drops the checks in the loop.
    let rows = rows.map(|row| &row[..steps.len()]);
    let mut local = *sums;
    for (i, weights) in steps.iter().enumerate() {
        for r in 0..R {
            let x = rows[r][i];
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
        while row + TALL <= rows.count {
            let sums = strip::<TALL>(&rows, row, weights);
            for (row, lanes) in (row..).zip(&sums) {
                write(row, panel * LANES, lanes);
            }
            row += TALL;
        }
        for row in row..rows.count {
            write(row, panel * LANES, &strip::<1>(&rows, row, weights)[0]);
        }
    }
}
