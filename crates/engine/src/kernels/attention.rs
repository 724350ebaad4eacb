//! Attention of many pictures at once, each to its own keys, without a matrix of scores in memory
//! for more than one head at a time.
//!
//! Queries and keys of all pictures lie one after the other, however long each is; a [`Pair`]
//! says which queries look at which keys. Keys that pad a batch don't exist here, so that a
//! prompt gets the same bits alone and beside longer ones.

use std::ops::Range;

use candle_core::{CpuStorage, CustomOp1, CustomOp2, Layout, Result, Shape, Tensor, bail};
use rayon::prelude::*;

use super::activation::exp;
use super::matrix::{Panels, Rows, multiply_here};
use super::norm::{fold, rms_norm};
use super::{Canvas, Kernel, LANES, dispatch, floats};

/// `softmax(q k^T / sqrt(d)) v` for each head of `d` numbers.
#[derive(Debug)]
pub struct Attention {
    pub heads: usize,
    /// Weights of the root-mean-square norms of each head's queries and keys, where there are.
    pub norms: Option<HeadNorms>,
}

/// Weights of `[d]` each (query-key norm, Henry et al. 2020).
#[derive(Debug)]
pub struct HeadNorms {
    pub queries: Vec<f32>,
    pub keys: Vec<f32>,
    pub epsilon: f32,
}

/// Rows of queries that look at rows of keys and values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pair {
    pub queries: Range<usize>,
    pub keys: Range<usize>,
}

impl Attention {
    /// From queries, keys and values beside each other, `[rows, 3 * width]`, to `[rows, width]`.
    /// Rows that no pair names come out as zeros.
    pub fn to_itself(&self, qkv: &Tensor, pairs: &[Pair]) -> Result<Tensor> {
        qkv.apply_op1_no_bwd(&ToItself {
            attention: self,
            pairs,
        })
    }

    /// From queries `[rows, width]` and keys and values beside each other,
    /// `[other rows, 2 * width]`, to `[rows, width]`.
    pub fn to_others(&self, q: &Tensor, kv: &Tensor, pairs: &[Pair]) -> Result<Tensor> {
        q.apply_op2_no_bwd(
            kv,
            &ToOthers {
                attention: self,
                pairs,
            },
        )
    }

    fn run(
        &self,
        q: Columns<'_>,
        k: Columns<'_>,
        v: Columns<'_>,
        pairs: &[Pair],
    ) -> Result<Vec<f32>> {
        let width = q.width;
        if self.heads == 0 || !width.is_multiple_of(self.heads) {
            bail!("{width} numbers can't be {} heads", self.heads);
        }
        let d = width / self.heads;
        let weights = self
            .norms
            .iter()
            .flat_map(|norms| [&norms.queries, &norms.keys]);
        if weights.into_iter().any(|weight| weight.len() != d) {
            bail!("the norms are not for heads of {d} numbers");
        }
        let outside = |pair: &Pair| {
            pair.queries.end > q.rows() || pair.keys.end > k.rows() || pair.keys.is_empty()
        };
        if let Some(pair) = pairs.iter().find(|pair| outside(pair)) {
            bail!(
                "{pair:?} lies outside {} queries and {} keys",
                q.rows(),
                k.rows()
            );
        }
        let mut output = vec![0.0; q.rows() * width];
        let canvas = Canvas::new(&mut output, width);
        (0..pairs.len() * self.heads)
            .into_par_iter()
            .for_each(|index| {
                dispatch(Head {
                    attention: self,
                    pair: &pairs[index / self.heads],
                    columns: index % self.heads * d..(index % self.heads + 1) * d,
                    q,
                    k,
                    v,
                    canvas: &canvas,
                });
            });
        Ok(output)
    }
}

/// Some columns of a row-major matrix.
#[derive(Clone, Copy)]
struct Columns<'a> {
    numbers: &'a [f32],
    stride: usize,
    at: usize,
    width: usize,
}

impl<'a> Columns<'a> {
    fn rows(&self) -> usize {
        self.numbers.len() / self.stride.max(1)
    }

    #[inline(always)]
    fn part(&self, row: usize, columns: &Range<usize>) -> &'a [f32] {
        &self.numbers[row * self.stride + self.at + columns.start..][..columns.len()]
    }
}

/// One head of one pair.
struct Head<'a> {
    attention: &'a Attention,
    pair: &'a Pair,
    columns: Range<usize>,
    q: Columns<'a>,
    k: Columns<'a>,
    v: Columns<'a>,
    canvas: &'a Canvas<'a>,
}

impl Kernel for Head<'_> {
    #[inline(always)]
    fn run(self) {
        let d = self.columns.len();
        let keys = self.pair.keys.len();
        let norms = self.attention.norms.as_ref();
        let queries = self.gather(
            self.q,
            &self.pair.queries,
            norms.map(|n| (&n.queries, n.epsilon)),
        );
        let normed_keys = self.gather(self.k, &self.pair.keys, norms.map(|n| (&n.keys, n.epsilon)));

        let mut panels = Panels::pack(keys, d, |key, i| normed_keys[key * d + i]);
        let stride = keys.div_ceil(LANES) * LANES;
        let mut scores = vec![0.0; self.pair.queries.len() * stride];
        multiply_here(Rows::dense(&queries, d), &panels, |row, column, sums| {
            scores[row * stride + column..][..LANES].copy_from_slice(sums);
        });

        let scale = 1.0 / (d as f32).sqrt();
        for row in scores.chunks_exact_mut(stride) {
            softmax(row, keys, scale);
        }

        let Columns {
            numbers,
            stride: v_stride,
            at,
            ..
        } = self.v;
        let first = self.pair.keys.start * v_stride + at + self.columns.start;
        panels.repack(d, keys, |i, key| numbers[first + key * v_stride + i]);
        let mut rows = Rows::dense(&scores, stride);
        rows.run = keys;
        multiply_here(rows, &panels, |row, column, sums| {
            let width = LANES.min(d - column);
            let (row, column) = (self.pair.queries.start + row, self.columns.start + column);
            self.canvas.write(row, column, &sums[..width]);
        });
    }
}

impl Head<'_> {
    /// This head's part of some rows, normed.
    #[inline(always)]
    fn gather(
        &self,
        from: Columns<'_>,
        rows: &Range<usize>,
        norm: Option<(&Vec<f32>, f32)>,
    ) -> Vec<f32> {
        let mut gathered = Vec::with_capacity(rows.len() * self.columns.len());
        for row in rows.clone() {
            let at = gathered.len();
            gathered.extend_from_slice(from.part(row, &self.columns));
            if let Some((weight, epsilon)) = norm {
                rms_norm(&mut gathered[at..], weight, epsilon);
            }
        }
        gathered
    }
}

/// Softmax of the first `keys` numbers times `scale`; the rest of the row becomes zero.
#[inline(always)]
fn softmax(row: &mut [f32], keys: usize, scale: f32) {
    let largest = row[..keys]
        .iter()
        .fold(f32::NEG_INFINITY, |most, x| most.max(*x));
    for chunk in row.as_chunks_mut::<LANES>().0 {
        for x in chunk.iter_mut() {
            *x = (*x - largest) * scale;
        }
        *chunk = exp(*chunk);
    }
    row[keys..].fill(0.0);
    let inverse = 1.0 / fold(row, |sum, x| sum + x);
    for x in row {
        *x *= inverse;
    }
}

struct ToItself<'a> {
    attention: &'a Attention,
    pairs: &'a [Pair],
}

impl CustomOp1 for ToItself<'_> {
    fn name(&self) -> &'static str {
        "self-attention"
    }

    fn cpu_fwd(&self, qkv: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let (rows, stride) = layout.shape().dims2()?;
        if !stride.is_multiple_of(3) {
            bail!("{stride} columns are not queries, keys and values");
        }
        let (numbers, width) = (floats(qkv, layout)?, stride / 3);
        let part = |index: usize| Columns {
            numbers,
            stride,
            at: index * width,
            width,
        };
        let output = self.attention.run(part(0), part(1), part(2), self.pairs)?;
        Ok((CpuStorage::F32(output), Shape::from((rows, width))))
    }
}

struct ToOthers<'a> {
    attention: &'a Attention,
    pairs: &'a [Pair],
}

impl CustomOp2 for ToOthers<'_> {
    fn name(&self) -> &'static str {
        "cross-attention"
    }

    fn cpu_fwd(
        &self,
        q: &CpuStorage,
        q_layout: &Layout,
        kv: &CpuStorage,
        kv_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (rows, width) = q_layout.shape().dims2()?;
        let (_, stride) = kv_layout.shape().dims2()?;
        if stride != 2 * width {
            bail!("{stride} columns are not keys and values of {width}");
        }
        let q = Columns {
            numbers: floats(q, q_layout)?,
            stride: width,
            at: 0,
            width,
        };
        let numbers = floats(kv, kv_layout)?;
        let part = |index: usize| Columns {
            numbers,
            stride,
            at: index * width,
            width,
        };
        let output = self.attention.run(q, part(0), part(1), self.pairs)?;
        Ok((CpuStorage::F32(output), Shape::from((rows, width))))
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{assert_close, numbers, on_threads, tensor, values};
    use super::*;
    use candle_core::{D, Device};

    fn normed(x: &Tensor, weight: &[f32]) -> Result<Tensor> {
        let weight = Tensor::from_slice(weight, weight.len(), &Device::Cpu)?;
        let mean_square = (x.sqr()?.mean_keepdim(D::Minus1)? + 1e-6)?;
        x.broadcast_div(&mean_square.sqrt()?)?
            .broadcast_mul(&weight)
    }

    /// One pair, head by head, with candle's own operations.
    fn reference(q: &Tensor, k: &Tensor, v: &Tensor, attention: &Attention) -> Result<Tensor> {
        let heads = |x: &Tensor| {
            let (rows, width) = x.dims2()?;
            x.reshape((rows, attention.heads, width / attention.heads))?
                .transpose(0, 1)?
                .contiguous()
        };
        let (mut q, mut k, v) = (heads(q)?, heads(k)?, heads(v)?);
        if let Some(norms) = &attention.norms {
            (q, k) = (normed(&q, &norms.queries)?, normed(&k, &norms.keys)?);
        }
        let scale = 1.0 / (q.dim(2)? as f64).sqrt();
        let scores = (q.matmul(&k.transpose(1, 2)?)? * scale)?;
        let mixed = candle_nn::ops::softmax(&scores, D::Minus1)?.matmul(&v)?;
        mixed.transpose(0, 1)?.contiguous()?.flatten(1, 2)
    }

    fn norms(d: usize) -> Option<HeadNorms> {
        let (queries, keys) = (numbers(8, d), numbers(9, d));
        Some(HeadNorms {
            queries,
            keys,
            epsilon: 1e-6,
        })
    }

    #[test]
    fn each_picture_looks_at_itself_alone() -> Result<()> {
        for (heads, d, length) in [(1, 1, 1), (3, 8, 5), (5, 64, 64), (2, 20, 33)] {
            for norms in [None, norms(d)] {
                let attention = Attention { heads, norms };
                let width = heads * d;
                let qkv = tensor(1, &[2 * length, 3 * width]);
                let span = |p: usize| p * length..(p + 1) * length;
                let pairs = [0, 1].map(|p| Pair {
                    queries: span(p),
                    keys: span(p),
                });
                let found = attention.to_itself(&qkv, &pairs)?;
                for picture in 0..2 {
                    let own = qkv.narrow(0, picture * length, length)?;
                    let part = |i: usize| own.narrow(1, i * width, width)?.contiguous();
                    let expected = reference(&part(0)?, &part(1)?, &part(2)?, &attention)?;
                    let found = found.narrow(0, picture * length, length)?;
                    assert_close(&values(&found), &values(&expected), 1e-5);
                }
            }
        }
        Ok(())
    }

    #[test]
    fn prompts_of_different_lengths_share_a_pass() -> Result<()> {
        let attention = Attention {
            heads: 2,
            norms: norms(16),
        };
        let (q, kv) = (tensor(1, &[30, 32]), tensor(2, &[20, 64]));
        let pairs = [
            Pair {
                queries: 0..10,
                keys: 0..1,
            },
            Pair {
                queries: 10..20,
                keys: 1..18,
            },
            Pair {
                queries: 20..30,
                keys: 18..20,
            },
        ];
        let found = on_threads(3, || attention.to_others(&q, &kv, &pairs))?;
        for pair in &pairs {
            let kv = kv.narrow(0, pair.keys.start, pair.keys.len())?;
            let q = q.narrow(0, pair.queries.start, pair.queries.len())?;
            let (k, v) = (
                kv.narrow(1, 0, 32)?.contiguous()?,
                kv.narrow(1, 32, 32)?.contiguous()?,
            );
            let expected = reference(&q, &k, &v, &attention)?;
            let found = found.narrow(0, pair.queries.start, pair.queries.len())?;
            assert_close(&values(&found), &values(&expected), 1e-5);
            let whole = [Pair {
                queries: 0..pair.queries.len(),
                keys: 0..pair.keys.len(),
            }];
            let alone = attention.to_others(&q, &kv.contiguous()?, &whole)?;
            assert_eq!(values(&found), values(&alone), "the same bits as alone");
        }
        Ok(())
    }

    #[test]
    fn keys_that_are_not_there_are_an_error() {
        let attention = Attention {
            heads: 2,
            norms: None,
        };
        let (q, kv) = (tensor(1, &[3, 8]), tensor(2, &[2, 16]));
        for keys in [0..3, 1..1] {
            let pair = Pair {
                queries: 0..3,
                keys,
            };
            assert!(attention.to_others(&q, &kv, &[pair]).is_err());
        }
        let narrow = tensor(2, &[2, 8]);
        assert!(
            attention
                .to_others(
                    &q,
                    &narrow,
                    &[Pair {
                        queries: 0..3,
                        keys: 0..2
                    }]
                )
                .is_err()
        );
    }
}
