//! PyTorch's "fast path" of attention: what it computes in evaluation where no gradient is recorded. Here it is no faster, but its
//! masks mean something else, so results are PyTorch's only if it is taken where PyTorch takes it: every mask is one of bools
//! there (a float that is not zero hides a key), and a query that sees no key gives NaN.

use super::MultiheadAttention;
use flambeau_autograd::mode::is_autocast_enabled;
use flambeau_autograd::ops::{self, AttentionOptions};
use flambeau_autograd::{Error, Result, Tensor, is_grad_enabled};
use flambeau_tensor::{DType, Device};
use std::sync::atomic::{AtomicBool, Ordering};

/// Whether the fast path is taken at all.
static ENABLED: AtomicBool = AtomicBool::new(true);

/// `torch.backends.mha.get_fastpath_enabled()`: whether attention and encoder layers behave, in evaluation and without gradients,
/// as PyTorch's fused implementation does.
pub fn get_fastpath_enabled() -> bool {
    ENABLED.load(Ordering::Relaxed)
}

/// `torch.backends.mha.set_fastpath_enabled(value)`. Without it masks of floats are added and a query that sees no key gives
/// zeros in evaluation as in training.
pub fn set_fastpath_enabled(value: bool) {
    ENABLED.store(value, Ordering::Relaxed);
}

/// Whether the fast path is open to a call: not in a GPU's region of autocast.
pub(super) fn is_open() -> bool {
    get_fastpath_enabled() && !is_autocast_enabled(Device::Wgpu(0))
}

/// Whether one of the tensors would be recorded with a gradient.
pub(super) fn records<'a>(tensors: impl IntoIterator<Item = Option<&'a Tensor>>) -> bool {
    is_grad_enabled() && tensors.into_iter().flatten().any(Tensor::requires_grad)
}

/// Masks as one: true where a key is hidden.
pub(super) struct Hidden {
    mask: Tensor,
    /// Whether it is `[n, s]`, else `[n, heads, l, s]`.
    of_keys: bool,
}

impl Hidden {
    /// The mask of both: `merge_masks`. `x` is `[n, l, e]`.
    pub(super) fn merge(
        attn_mask: Option<&Tensor>,
        key_padding_mask: Option<&Tensor>,
        x: &Tensor,
        heads: usize,
    ) -> Result<Option<Hidden>> {
        let Some(mask) = attn_mask else {
            let hidden = |mask: &Tensor| Ok(Hidden { mask: ops::ne(mask, 0)?, of_keys: true });
            return key_padding_mask.map(hidden).transpose();
        };
        let [n, l, _] = x.sizes::<[usize; 3]>().map(|n| n as i64);
        let heads = heads as i64;
        let mut mask = match mask.dim() {
            3 => ops::view(mask, &[n, -1, l, l])?,
            _ => ops::expand(&ops::view(mask, &[1, 1, l, l])?, &[n, heads, l, l])?,
        };
        if let Some(padding) = key_padding_mask {
            let padding = ops::expand(&ops::view(padding, &[n, 1, 1, l])?, &[n, heads, 1, l])?;
            mask = ops::add(&mask, &padding, 1)?;
        }
        Ok(Some(Hidden { mask: ops::ne(&mask, 0)?, of_keys: false }))
    }

    /// The scores with −∞ where keys are hidden.
    fn apply(&self, scores: &Tensor) -> Result<Tensor> {
        let (mask, shape) = (&self.mask, scores.size());
        let wrong =
            |kind: u8, shape: &str| Err(Error::runtime(format!("For mask_type == {kind} mask shape should {shape}")));
        let mask = match self.of_keys && mask.dim() == 2 {
            true if mask.size() != [shape[0], shape[3]] => return wrong(1, "be (B, L)"),
            true => ops::view(mask, &[shape[0] as i64, 1, 1, shape[3] as i64])?,
            false if mask.size() != shape[..] => return wrong(2, "match input shape"),
            false => mask.shallow_clone(),
        };
        ops::masked_fill(scores, &mask, f64::NEG_INFINITY)
    }
}

/// `torch._native_multi_head_attention` of `x`, `[n, l, e]`, with itself.
pub(super) fn attend(
    attention: &MultiheadAttention,
    x: &Tensor,
    hidden: Option<&Hidden>,
    (need_weights, average): (bool, bool),
) -> Result<(Tensor, Option<Tensor>)> {
    let [n, l, e] = x.sizes::<[usize; 3]>().map(|n| n as i64);
    let (width, heads) = (attention.head_dim as i64, attention.num_heads as i64);
    if e != width * heads {
        return Err(Error::runtime(format!(
            "passed-in embed_dim {} didn't match last dim of query {e}",
            attention.embed_dim
        )));
    }
    let weight = attention.in_proj_weight.as_ref().expect("the fast path is for one input of one width");
    let all = ops::linear(x, weight, attention.in_proj_bias.as_deref())?;
    let all = ops::permute(&ops::view(&all, &[n, l, 3, heads, width])?, &[2, 0, 3, 1, 4])?;
    let [q, k, v] = [0, 1, 2].map(|i| ops::select(&all, 0, i));
    let (q, k, v) = (q?, k?, v?);
    let (out, weights) = if hidden.is_none() && !need_weights {
        (ops::scaled_dot_product_attention(&q, &k, &v, &AttentionOptions::default())?, None)
    } else {
        let scaled = ops::mul(&q, (1.0 / attention.head_dim as f64).sqrt())?;
        let scores = ops::matmul(&scaled, &ops::transpose(&k, -2, -1)?)?;
        let scores = hidden.map_or_else(|| Ok(scores.shallow_clone()), |hidden| hidden.apply(&scores))?;
        let weights = ops::softmax(&scores, -1, None)?;
        let out = ops::matmul(&weights, &v)?;
        let shown = |weights: Tensor| if average { ops::mean(&weights, &[1], false, None) } else { Ok(weights) };
        (out, need_weights.then(|| shown(weights)).transpose()?)
    };
    let out = ops::reshape(&ops::transpose(&out, 1, 2)?, &[n, l, e])?;
    let out = ops::linear(&out, &attention.out_proj.weight, attention.out_proj.bias.as_deref())?;
    Ok((out, weights))
}

/// Whether a mask is of floats, which attention by itself leaves to the slow path.
pub(super) fn is_float(mask: Option<&Tensor>) -> bool {
    mask.is_some_and(|mask| mask.is_floating_point() && mask.dtype() != DType::Bool)
}
