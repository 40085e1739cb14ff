//! Attention.

use flambeau_autograd::ops::{self, AttentionOptions};
use flambeau_autograd::{OrPanic, Tensor};

/// softmax(q·kᵀ/√e)·v for `q` `[…, l, e]`, `k` `[…, s, e]`, `v` `[…, s, ev]`:
/// `F.scaled_dot_product_attention(query, key, value)`.
///
/// # Panics
/// On shapes or dtypes that do not fit, in PyTorch's words.
#[track_caller]
pub fn scaled_dot_product_attention(query: &Tensor, key: &Tensor, value: &Tensor) -> Tensor {
    ops::scaled_dot_product_attention(query, key, value, &AttentionOptions::default()).or_panic()
}

/// [`scaled_dot_product_attention`] with `attn_mask`, `dropout_p`, `is_causal`, `scale` and `enable_gqa`.
#[track_caller]
pub fn scaled_dot_product_attention_with<'a>(
    query: &Tensor,
    key: &Tensor,
    value: &Tensor,
    options: impl FnOnce(AttentionOptions<'a>) -> AttentionOptions<'a>,
) -> Tensor {
    ops::scaled_dot_product_attention(query, key, value, &options(AttentionOptions::default())).or_panic()
}
