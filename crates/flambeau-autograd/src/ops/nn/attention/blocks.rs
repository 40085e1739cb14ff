//! Attention in blocks of queries: the scores of all heads are never in memory at once. Forward keeps what it was given, and
//! backward computes each block's weights again.

use super::{ADD, LIVE_ROWS, MASKED, causal, gradients};
use crate::error::Result;
use crate::graph::{Save, record};
use crate::ops::to_i64;
use crate::{Tensor, is_grad_enabled};
use flambeau_tensor::backend::{Epilogue, ReduceOp};
use flambeau_tensor::ops::{ReduceArgs, fill, matmul, pointwise_into, reduce, softmax, softmax_backward};
use flambeau_tensor::{Array, DType, Scalar};
use smallvec::{SmallVec, smallvec};

/// How many scores a block may have: on the host what stays in a core's cache, on a GPU what few launches need.
const HOST: usize = 1 << 18;
const GPU: usize = 1 << 26;

const ONE: Scalar = Scalar::Int(1);

/// Attention of `[n, heads, l, e]`, `[n, heads, s, e]` and `[n, heads, s, ev]`, none of them empty, under a mask without a
/// gradient that broadcasts to `[n, heads, l, s]`.
#[track_caller]
pub(super) fn attention([q, k, v]: [&Tensor; 3], mask: Option<&Tensor>, scale: f64, is_causal: bool) -> Result<Tensor> {
    let out = Blocks::new([&q.array(), &k.array(), &v.array()], mask, scale, is_causal)?.forward()?;
    let mut saves: SmallVec<[Save<'_>; 4]> =
        smallvec![Save::Tensor("query", q), Save::Tensor("key", k), Save::Tensor("value", v)];
    saves.extend(mask.map(|mask| Save::Tensor("attn_mask", mask)));
    let masked = mask.is_some();
    Ok(record("ScaledDotProductFlashAttentionForCpuBackward0", &[q, k, v], &saves, out, move |c| {
        let (g, q, k, v) = (c.grad(0)?, c.saved(0)?, c.saved(1)?, c.saved(2)?);
        let mask = masked.then(|| c.saved(3)).transpose()?;
        if is_grad_enabled() {
            return gradients([&q, &k, &v], mask.as_ref(), scale, is_causal, &g);
        }
        let blocks = Blocks::new([&q.array(), &k.array(), &v.array()], mask.as_ref(), scale, is_causal)?;
        let grads = blocks.backward(&g.array(), [0, 1, 2].map(|i| c.needs(i)))?;
        Ok(grads.into_iter().map(|grad| grad.map(Tensor::from)).collect())
    }))
}

/// A block: some heads of some examples, some of their queries, and the keys that those may see.
#[derive(Clone, Copy)]
struct Block {
    examples: (usize, usize),
    heads: (usize, usize),
    queries: (usize, usize),
    keys: usize,
}

/// A call, and how it is divided.
struct Blocks {
    q: Array,
    k: Array,
    v: Array,
    /// Expanded to the scores.
    mask: Option<Array>,
    /// Which keys a query sees, `[l, s]`, where it does not see all.
    causal: Option<Array>,
    scale: Scalar,
    /// Examples, heads, queries and keys.
    sizes: [usize; 4],
    /// How many examples, heads and queries a block has at most. Several examples come with all their heads and queries.
    block: [usize; 3],
}

impl Blocks {
    fn new([q, k, v]: [&Array; 3], mask: Option<&Tensor>, scale: f64, is_causal: bool) -> Result<Self> {
        let (n, heads, l, s) = (q.shape()[0], q.shape()[1], q.shape()[2], k.shape()[2]);
        // By the shape alone, so that sums do not depend on the number of threads.
        let most = if q.device().is_cpu() { HOST } else { GPU };
        let block = match l * s {
            plane if plane > most => [1, 1, (most / s).clamp(1, l)],
            plane if plane * heads > most => [1, most / plane, l],
            plane => [(most / (plane * heads)).min(n), heads, l],
        };
        let causal = is_causal.then(|| causal(l, s, q.device())).transpose()?.map(|mask| mask.array().clone());
        Ok(Blocks {
            q: q.clone(),
            k: k.clone(),
            v: v.clone(),
            mask: mask.map(|mask| mask.array().expand(&to_i64(&[n, heads, l, s]))).transpose()?,
            causal,
            scale: Scalar::Float(scale),
            sizes: [n, heads, l, s],
            block,
        })
    }

    /// Calls `f` with every block in order.
    fn each(&self, mut f: impl FnMut(Block) -> Result<()>) -> Result<()> {
        let [n, heads, l, s] = self.sizes;
        let [examples, some_heads, queries] = self.block;
        let within = |start: usize, step: usize, end: usize| (start, step.min(end - start));
        for example in (0..n).step_by(examples) {
            for head in (0..heads).step_by(some_heads) {
                for query in (0..l).step_by(queries) {
                    let (examples, queries) = (within(example, examples, n), within(query, queries, l));
                    // Keys that none of the queries sees are left out where a part is a view whatever its rows.
                    let leaves_out = self.causal.is_some() && examples.1 == 1;
                    let keys = if leaves_out { s.min(queries.0 + queries.1) } else { s };
                    f(Block { examples, heads: within(head, some_heads, heads), queries, keys })?;
                }
            }
        }
        Ok(())
    }

    /// Whether several blocks add to the gradient of one key, or none does.
    fn divides_queries(&self) -> bool {
        let [_, _, l, s] = self.sizes;
        self.block[2] < l || self.causal.is_some() && l < s
    }

    /// A fresh array that a block's part is a view of.
    fn fresh(&self, rows: usize, width: usize) -> Result<Array> {
        let [n, heads, ..] = self.sizes;
        Ok(Array::empty(self.q.backend(), self.q.device(), &[n, heads, rows, width], self.q.dtype())?)
    }

    /// The weights of a block, `[examples · heads, queries, keys]`.
    fn weights(&self, block: Block) -> Result<Array> {
        let (q, k) = (part(&self.q, block, block.queries)?, part(&self.k, block, (0, block.keys))?);
        let shape = [q.shape()[0], block.queries.1, block.keys];
        let scores = Array::empty(q.backend(), q.device(), &shape, q.dtype())?;
        matmul(&q, &k.transpose(1, 2)?, self.scale, Scalar::Int(0), Epilogue::default(), &scores)?;
        if let Some(seen) = &self.causal {
            let seen =
                seen.narrow(0, block.queries.0 as i64, block.queries.1 as i64)?.narrow(1, 0, block.keys as i64)?;
            pointwise_into(&MASKED, &[&scores, &seen.broadcast_to(&shape)?], &[], &[&scores])?;
        }
        let Some(mask) = &self.mask else { return Ok(softmax(&scores, 2, false)?) };
        let mask = mask
            .narrow(0, block.examples.0 as i64, block.examples.1 as i64)?
            .narrow(1, block.heads.0 as i64, block.heads.1 as i64)?
            .narrow(2, block.queries.0 as i64, block.queries.1 as i64)?;
        let by_head = scores.view(&to_i64(mask.shape()))?;
        let program = if mask.dtype() == DType::Bool { &MASKED } else { &ADD };
        pointwise_into(program, &[&by_head, &mask], &[], &[&by_head])?;
        let weights = softmax(&scores, 2, false)?;
        let largest = reduce(ReduceArgs::new(ReduceOp::Max, &[-1], true), &[&scores], &[])?;
        pointwise_into(&LIVE_ROWS, &[&weights, &largest.broadcast_to(&shape)?], &[], &[&weights])?;
        Ok(weights)
    }

    fn forward(&self) -> Result<Array> {
        let [n, heads, l, _] = self.sizes;
        let width = self.v.shape()[3];
        let out = match self.block[0] {
            // As PyTorch lays it out: a position's heads are neighbours.
            1 => Array::empty(self.q.backend(), self.q.device(), &[n, l, heads, width], self.q.dtype())?
                .permute(&[0, 2, 1, 3])?,
            _ => self.fresh(l, width)?,
        };
        self.each(|block| {
            let (weights, v) = (self.weights(block)?, part(&self.v, block, (0, block.keys))?);
            let out = part(&out, block, block.queries)?;
            Ok(matmul(&weights, &v, ONE, Scalar::Int(0), Epilogue::default(), &out)?)
        })?;
        Ok(out)
    }

    /// The gradients of queries, keys and values that are needed.
    fn backward(&self, g: &Array, needs: [bool; 3]) -> Result<[Option<Array>; 3]> {
        let [_, _, l, s] = self.sizes;
        let (width, value_width) = (self.q.shape()[3], self.v.shape()[3]);
        let adds = self.divides_queries();
        let beta = Scalar::Int(i64::from(adds));
        let summed = |needed: bool, width: usize| -> Result<Option<Array>> {
            let Some(grad) = needed.then(|| self.fresh(s, width)).transpose()? else { return Ok(None) };
            if adds {
                fill(&grad, Scalar::Int(0))?;
            }
            Ok(Some(grad))
        };
        let dq = needs[0].then(|| self.fresh(l, width)).transpose()?;
        let (dk, dv) = (summed(needs[1], width)?, summed(needs[2], value_width)?);
        self.each(|block| {
            let (weights, g) = (self.weights(block)?, part(g, block, block.queries)?);
            let (keys, none) = ((0, block.keys), Epilogue::default());
            if let Some(dv) = &dv {
                matmul(&weights.transpose(1, 2)?, &g, ONE, beta, none, &part(dv, block, keys)?)?;
            }
            if !needs[0] && !needs[1] {
                return Ok(());
            }
            let of_weights = Array::empty(g.backend(), g.device(), weights.shape(), g.dtype())?;
            let v = part(&self.v, block, keys)?.transpose(1, 2)?;
            matmul(&g, &v, ONE, Scalar::Int(0), none, &of_weights)?;
            let of_scores = softmax_backward(&of_weights, &weights, 2, false)?;
            if let Some(dq) = &dq {
                let (k, dq) = (part(&self.k, block, keys)?, part(dq, block, block.queries)?);
                matmul(&of_scores, &k, self.scale, Scalar::Int(0), none, &dq)?;
            }
            if let Some(dk) = &dk {
                let (q, dk) = (part(&self.q, block, block.queries)?, part(dk, block, keys)?);
                matmul(&of_scores.transpose(1, 2)?, &q, self.scale, beta, none, &dk)?;
            }
            Ok(())
        })?;
        Ok([dq, dk, dv])
    }
}

/// Some rows of a block's examples and heads, `[examples · heads, rows, width]`: a view where there is one example, or all rows of
/// all heads lie one behind the other.
fn part(x: &Array, block: Block, rows: (usize, usize)) -> Result<Array> {
    let x = x.narrow(2, rows.0 as i64, rows.1 as i64)?;
    let (example, examples) = block.examples;
    if examples == 1 {
        return Ok(x.select(0, example as i64)?.narrow(0, block.heads.0 as i64, block.heads.1 as i64)?);
    }
    let x = x.narrow(0, example as i64, examples as i64)?;
    let flat = [examples * x.shape()[1], x.shape()[2], x.shape()[3]];
    Ok(x.reshape(&to_i64(&flat))?)
}
