//! Attention of several heads.

use crate::layers::{py_size, py_tuple};
use flambeau_autograd::arguments::{Int, Number, OptTensor};
use flambeau_autograd::ops::{self, AttentionOptions, PadOptions};
use flambeau_autograd::{AsTensor, Error, OrPanic, Result, Tensor, options, warn};
use flambeau_tensor::DType;

options! {
    /// Options of [`multi_head_attention_forward_with`].
    MultiHeadAttentionForwardOptions {
        /// Whether weights are dropped (true).
        training: bool = true,
        /// Which keys are padding, `[n, s]` or `[s]`: bools (true is ignored) or floats that are added to the scores (none).
        key_padding_mask: Option<Tensor> = None,
        /// Whether the weights are returned (true).
        need_weights: bool = true,
        /// Which keys each query does not see, `[l, s]` or `[n · heads, l, s]`: bools (true is ignored) or floats that are added to
        /// the scores (none).
        attn_mask: Option<Tensor> = None,
        /// Whether query, key and value have a weight each, instead of `in_proj_weight` (false).
        use_separate_proj_weight: bool = false,
        /// The queries' weight, `[e, e]` (none).
        q_proj_weight: Option<Tensor> = None,
        /// The keys' weight, `[e, width of the keys]` (none).
        k_proj_weight: Option<Tensor> = None,
        /// The values' weight, `[e, width of the values]` (none).
        v_proj_weight: Option<Tensor> = None,
        /// Keys of all heads in place of those computed, `[n · heads, s, e / heads]` (none).
        static_k: Option<Tensor> = None,
        /// Values of all heads in place of those computed, `[n · heads, s, e / heads]` (none).
        static_v: Option<Tensor> = None,
        /// Whether the weights are the mean over the heads (true).
        average_attn_weights: bool = true,
        /// That `attn_mask` is causal, so that it need not be looked at (false).
        is_causal: bool = false,
    }
}

/// Attention of several heads over projected queries, keys and values (arXiv 1706.03762):
/// `F.multi_head_attention_forward`. Inputs are `[l, n, e]`, or `[l, e]` without a batch. Returns the output, `[l, n, e]`, and the
/// weights' mean over the heads, `[n, l, s]`. [`MultiheadAttention`](crate::MultiheadAttention) is the layer.
///
/// ```
/// use flambeau_autograd::{eye, ones, randn};
/// use flambeau_nn::functional as F;
/// let x = randn([5, 2, 4]);
/// let (w, out) = (ones([12, 4]), eye(4));
/// let (y, weights) = F::multi_head_attention_forward(&x, &x, &x, 4, 2, &w, None, None, None, false, 0, &out, None);
/// assert_eq!((y.size(), weights.unwrap().size()), (x.size(), ones([2, 5, 5]).size()));
/// ```
///
/// # Panics
/// When shapes or dtypes do not fit, with PyTorch's words.
#[track_caller]
#[allow(clippy::too_many_arguments, reason = "PyTorch's arguments")]
pub fn multi_head_attention_forward(
    query: impl AsTensor,
    key: impl AsTensor,
    value: impl AsTensor,
    embed_dim_to_check: impl Int,
    num_heads: impl Int,
    in_proj_weight: impl OptTensor,
    in_proj_bias: impl OptTensor,
    bias_k: impl OptTensor,
    bias_v: impl OptTensor,
    add_zero_attn: bool,
    dropout_p: impl Number,
    out_proj_weight: impl AsTensor,
    out_proj_bias: impl OptTensor,
) -> (Tensor, Option<Tensor>) {
    multi_head_attention_forward_with(
        query,
        key,
        value,
        embed_dim_to_check,
        num_heads,
        in_proj_weight,
        in_proj_bias,
        bias_k,
        bias_v,
        add_zero_attn,
        dropout_p,
        out_proj_weight,
        out_proj_bias,
        |o| o,
    )
}

/// [`multi_head_attention_forward`] with options: `training`, `key_padding_mask`, `need_weights`, `attn_mask`,
/// `use_separate_proj_weight`, `q_proj_weight`, `k_proj_weight`, `v_proj_weight`, `static_k`, `static_v`, `average_attn_weights`,
/// `is_causal`.
///
/// # Panics
/// As [`multi_head_attention_forward`].
#[track_caller]
#[allow(clippy::too_many_arguments, reason = "PyTorch's arguments")]
pub fn multi_head_attention_forward_with(
    query: impl AsTensor,
    key: impl AsTensor,
    value: impl AsTensor,
    embed_dim_to_check: impl Int,
    num_heads: impl Int,
    in_proj_weight: impl OptTensor,
    in_proj_bias: impl OptTensor,
    bias_k: impl OptTensor,
    bias_v: impl OptTensor,
    add_zero_attn: bool,
    dropout_p: impl Number,
    out_proj_weight: impl AsTensor,
    out_proj_bias: impl OptTensor,
    options: impl FnOnce(MultiHeadAttentionForwardOptions) -> MultiHeadAttentionForwardOptions,
) -> (Tensor, Option<Tensor>) {
    let o = options(MultiHeadAttentionForwardOptions::default());
    let weights = match o.use_separate_proj_weight {
        false => InProjection::Packed(in_proj_weight.to_option()),
        true => InProjection::Separate([&o.q_proj_weight, &o.k_proj_weight, &o.v_proj_weight].map(Option::as_ref)),
    };
    MultiHead {
        inputs: [query.as_tensor(), key.as_tensor(), value.as_tensor()],
        batch_first: false,
        embed_dim: embed_dim_to_check.to_usize(),
        heads: num_heads.to_usize(),
        weights,
        in_proj_bias: in_proj_bias.to_option(),
        bias_kv: [bias_k.to_option(), bias_v.to_option()],
        add_zero_attn,
        dropout_p: if o.training { dropout_p.to_f64() } else { 0.0 },
        out_proj: (out_proj_weight.as_tensor(), out_proj_bias.to_option()),
        key_padding_mask: o.key_padding_mask.as_ref(),
        need_weights: o.need_weights,
        attn_mask: o.attn_mask.as_ref(),
        static_kv: [o.static_k.as_ref(), o.static_v.as_ref()],
        average_attn_weights: o.average_attn_weights,
        is_causal: o.is_causal,
    }
    .run()
    .or_panic()
}

/// The weights of the input projection.
#[derive(Clone, Copy)]
pub(crate) enum InProjection<'a> {
    /// Those of queries, keys and values below each other.
    Packed(Option<&'a Tensor>),
    /// One for each.
    Separate([Option<&'a Tensor>; 3]),
}

/// A call of attention: what `F.multi_head_attention_forward` takes.
pub(crate) struct MultiHead<'a> {
    /// Query, key and value.
    pub inputs: [&'a Tensor; 3],
    /// Whether inputs with a batch are `[n, l, e]`, not `[l, n, e]`. The weights are applied to them as they lie.
    pub batch_first: bool,
    pub embed_dim: usize,
    pub heads: usize,
    pub weights: InProjection<'a>,
    pub in_proj_bias: Option<&'a Tensor>,
    pub bias_kv: [Option<&'a Tensor>; 2],
    pub add_zero_attn: bool,
    /// 0 unless training.
    pub dropout_p: f64,
    pub out_proj: (&'a Tensor, Option<&'a Tensor>),
    pub key_padding_mask: Option<&'a Tensor>,
    pub need_weights: bool,
    pub attn_mask: Option<&'a Tensor>,
    pub static_kv: [Option<&'a Tensor>; 2],
    pub average_attn_weights: bool,
    pub is_causal: bool,
}

/// A failed assertion of PyTorch's.
fn assertion<T>(message: String) -> Result<T> {
    Err(Error::runtime(message))
}

/// A mask as floats to be added to the scores, in the scores' dtype where it was of bools: `F._canonical_mask`.
///
/// # Errors
/// When it is of integers.
#[track_caller]
pub(crate) fn canonical_mask(
    mask: Option<&Tensor>,
    name: &str,
    other: Option<(&str, DType)>,
    target: DType,
) -> Result<Option<Tensor>> {
    let Some(mask) = mask else { return Ok(None) };
    if mask.dtype() != DType::Bool && !mask.is_floating_point() {
        return assertion(format!("only bool and floating types of {name} are supported"));
    }
    if let Some((other, _)) = other.filter(|(_, dtype)| *dtype != mask.dtype()) {
        warn(&format!("Support for mismatched {name} and {other} is deprecated. Use same type for both instead."));
    }
    if mask.dtype() != DType::Bool {
        return Ok(Some(mask.shallow_clone()));
    }
    let zeros = ops::zeros(&mask.size(), target, mask.device())?;
    ops::masked_fill_(&zeros, mask, f64::NEG_INFINITY).map(Some)
}

/// The sizes of a call.
struct Sizes {
    batched: bool,
    /// Whether the batch is the first dimension of the inputs.
    batch_first: bool,
    l: usize,
    n: usize,
    /// The length of the keys as they were given.
    s: usize,
    heads: usize,
    width: usize,
}

impl Sizes {
    /// `[…, heads · width]` in the order of the inputs to `[n, heads, length, width]`.
    fn heads_first(&self, x: &Tensor) -> Result<Tensor> {
        ops::permute(x, if self.batch_first { &[0, 2, 1, 3] } else { &[1, 2, 0, 3] })
    }

    /// The dimension of an input that is the sequence.
    fn sequence(&self) -> usize {
        usize::from(self.batch_first)
    }

    fn i64(&self) -> [i64; 5] {
        [self.l, self.n, self.s, self.heads, self.width].map(|n| n as i64)
    }
}

impl MultiHead<'_> {
    /// The output, and the weights where they are needed.
    #[track_caller]
    pub fn run(&self) -> Result<(Tensor, Option<Tensor>)> {
        let batched = self.check_dims()?;
        let inputs = match batched {
            true => self.inputs.map(Tensor::shallow_clone),
            // What is one tensor stays one.
            false => {
                let [q, k, v] = self.inputs;
                let key = if k.is_same(q) { None } else { Some(ops::unsqueeze(k, 1)?) };
                let query = ops::unsqueeze(q, 1)?;
                let key = key.unwrap_or_else(|| query.shallow_clone());
                let value = match v {
                    v if v.is_same(k) => key.shallow_clone(),
                    v if v.is_same(q) => query.shallow_clone(),
                    v => ops::unsqueeze(v, 1)?,
                };
                [query, key, value]
            }
        };
        let padding = match self.key_padding_mask {
            Some(mask) if !batched => Some(ops::unsqueeze(mask, 0)?),
            mask => mask.map(Tensor::shallow_clone),
        };
        let dtype = inputs[0].dtype();
        let other = self.attn_mask.map(|mask| ("attn_mask", mask.dtype()));
        let padding = canonical_mask(padding.as_ref(), "key_padding_mask", other, dtype)?;
        if self.is_causal && self.attn_mask.is_none() {
            return Err(Error::runtime(
                "Need attn_mask if specifying the is_causal hint. You may use the Transformer module method \
                 `generate_square_subsequent_mask` to create this mask.",
            ));
        }
        let hint = self.is_causal && padding.is_none() && !self.need_weights;
        let mask = if hint { None } else { canonical_mask(self.attn_mask, "attn_mask", None, dtype)? };
        let sizes = self.sizes(&inputs, batched)?;
        let [q, k, v] = self.project(&inputs, &sizes)?;
        let mask = mask.map(|mask| attention_mask(&mask, &sizes)).transpose()?;
        self.attend([q, k, v], mask, padding, hint, &sizes)
    }

    /// Whether there is a batch: `F._mha_shape_check`.
    fn check_dims(&self) -> Result<bool> {
        let [q, k, v] = self.inputs.map(Tensor::dim);
        let (kind, batched) = match q {
            3 => ("batched (3-D)", true),
            2 => ("unbatched (2-D)", false),
            _ => {
                return assertion(format!(
                    "query should be unbatched 2D or batched 3D tensor but received {q}-D query tensor"
                ));
            }
        };
        if k != q || v != q {
            return assertion(format!(
                "For {kind} `query`, expected `key` and `value` to be {q}-D but found {k}-D and {v}-D tensors respectively"
            ));
        }
        if let Some(found) = self.key_padding_mask.map(Tensor::dim).filter(|&d| d != q - 1) {
            return assertion(format!(
                "For {kind} `query`, expected `key_padding_mask` to be `None` or {}-D but found {found}-D tensor instead",
                q - 1
            ));
        }
        let Some(mask) = self.attn_mask else { return Ok(batched) };
        if !matches!(mask.dim(), 2 | 3) {
            return assertion(format!(
                "For {kind} `query`, expected `attn_mask` to be `None`, 2-D or 3-D but found {}-D tensor instead",
                mask.dim()
            ));
        }
        let expected = [self.heads, self.inputs[0].size()[0], self.inputs[1].size()[0]];
        if !batched && mask.dim() == 3 && mask.size() != expected {
            return assertion(format!(
                "Expected `attn_mask` shape to be {} but got {}",
                py_tuple(&expected),
                mask.size()
            ));
        }
        Ok(batched)
    }

    /// The sizes, once they agree.
    fn sizes(&self, inputs: &[Tensor; 3], batched: bool) -> Result<Sizes> {
        let batch_first = batched && self.batch_first;
        // As PyTorch has them: the sequence first.
        let in_order = |x: &Tensor| {
            let [a, b, c] = x.sizes::<[usize; 3]>();
            if batch_first { [b, a, c] } else { [a, b, c] }
        };
        let [[l, n, e], key, value] = [0, 1, 2].map(|i| in_order(&inputs[i]));
        if e != self.embed_dim {
            return assertion(format!("was expecting embedding dimension of {}, but got {e}", self.embed_dim));
        }
        let width = e.checked_div(self.heads).unwrap_or(0);
        if width * self.heads != e {
            return assertion(format!("embed_dim {e} not divisible by num_heads {}", self.heads));
        }
        match self.weights {
            InProjection::Separate(_) if key[..2] != value[..2] => assertion(format!(
                "key's sequence and batch dims {} do not match value's {}",
                py_size(&key[..2]),
                py_size(&value[..2])
            )),
            InProjection::Packed(_) if key != value => {
                assertion(format!("key shape {} does not match value shape {}", py_size(&key), py_size(&value)))
            }
            _ => Ok(Sizes { batched, batch_first, l, n, s: key[0], heads: self.heads, width }),
        }
    }

    /// Queries, keys and values of all heads, `[…, heads, width]` in the order of the inputs.
    fn project(&self, inputs: &[Tensor; 3], sizes: &Sizes) -> Result<[Tensor; 3]> {
        let [q, k, v] = inputs;
        let e = self.embed_dim as i64;
        let (weights, biases) = match self.weights {
            InProjection::Separate(weights) => (self.separate_weights(weights, inputs)?, self.thirds()?),
            InProjection::Packed(None) => {
                return assertion("use_separate_proj_weight is False but in_proj_weight is None".into());
            }
            InProjection::Packed(Some(w)) if k.is_same(v) && q.is_same(k) => {
                return parts::<3>(&ops::linear(q, w, self.in_proj_bias)?, sizes);
            }
            InProjection::Packed(Some(w)) if k.is_same(v) => {
                let split = |x: &Tensor| ops::split_sizes(x, &[e, 2 * e], 0);
                let (w, b) = (split(w)?, self.in_proj_bias.map(split).transpose()?);
                let b = |i: usize| b.as_ref().map(|b| &b[i]);
                let [q] = parts::<1>(&ops::linear(q, &w[0], b(0))?, sizes)?;
                let [k, v] = parts::<2>(&ops::linear(k, &w[1], b(1))?, sizes)?;
                return Ok([q, k, v]);
            }
            InProjection::Packed(Some(w)) => (three(ops::chunk(w, 3, 0)?), self.thirds()?),
        };
        let mut out = Vec::with_capacity(3);
        for (i, x) in inputs.iter().enumerate() {
            let [part] = parts::<1>(&ops::linear(x, &weights[i], biases.as_ref().map(|b| &b[i]))?, sizes)?;
            out.push(part);
        }
        Ok(three(out))
    }

    /// The bias of each projection.
    fn thirds(&self) -> Result<Option<[Tensor; 3]>> {
        self.in_proj_bias.map(|b| ops::chunk(b, 3, 0).map(three)).transpose()
    }

    /// The weights of each projection, whose shapes are checked.
    fn separate_weights(&self, weights: [Option<&Tensor>; 3], inputs: &[Tensor; 3]) -> Result<[Tensor; 3]> {
        let mut out = Vec::with_capacity(3);
        for (name, weight) in ["q", "k", "v"].iter().zip(weights) {
            match weight {
                Some(weight) => out.push(weight.shallow_clone()),
                None => {
                    return assertion(format!("use_separate_proj_weight is True but {name}_proj_weight is None"));
                }
            }
        }
        for ((name, weight), input) in ["query", "key", "value"].iter().zip(&out).zip(inputs) {
            let expected = [self.embed_dim, input.size()[2]];
            if weight.size() != expected {
                return assertion(format!(
                    "expecting {name} weights shape of {}, but got {}",
                    py_tuple(&expected),
                    weight.size()
                ));
            }
        }
        Ok(three(out))
    }

    /// Attention of projected queries, keys and values, and the output projection.
    #[track_caller]
    fn attend(
        &self,
        [q, mut k, mut v]: [Tensor; 3],
        mut mask: Option<Tensor>,
        mut padding: Option<Tensor>,
        hint: bool,
        sizes: &Sizes,
    ) -> Result<(Tensor, Option<Tensor>)> {
        let [l, n, _, heads, width] = sizes.i64();
        let longer = |mask: &mut Option<Tensor>| -> Result<()> {
            if let Some(mask) = mask {
                *mask = ops::pad(mask, &[0, 1], &PadOptions::default())?;
            }
            Ok(())
        };
        match self.bias_kv {
            [Some(bias_k), Some(bias_v)] => {
                for (name, x) in ["key", "value"].iter().zip(self.static_kv) {
                    if x.is_some() {
                        return assertion(format!("bias cannot be added to static {name}."));
                    }
                }
                let to = if sizes.batch_first { [n, 1, heads, width] } else { [1, n, heads, width] };
                let with = |x: &Tensor, bias: &Tensor| {
                    let row = ops::expand(&ops::view(bias, &[1, 1, heads, width])?, &to)?;
                    ops::cat(&[x, &row], sizes.sequence() as i64)
                };
                (k, v) = (with(&k, bias_k)?, with(&v, bias_v)?);
                longer(&mut mask)?;
                longer(&mut padding)?;
            }
            [Some(_), None] => return assertion("bias_k is set but bias_v is None".into()),
            [None, Some(_)] => return assertion("bias_v is set but bias_k is None".into()),
            [None, None] => {}
        }
        let q = sizes.heads_first(&q)?;
        let heads_of = |name: &str, fixed: Option<&Tensor>, x: &Tensor| match fixed {
            None => sizes.heads_first(x),
            Some(x) => fixed_heads(name, x, sizes),
        };
        k = heads_of("static_k", self.static_kv[0], &k)?;
        v = heads_of("static_v", self.static_kv[1], &v)?;
        if self.add_zero_attn {
            let zeros = ops::zeros(&[sizes.n, sizes.heads, 1, sizes.width], k.dtype(), k.device())?;
            (k, v) = (ops::cat(&[&k, &zeros], 2)?, ops::cat(&[&v, &zeros], 2)?);
            longer(&mut mask)?;
            longer(&mut padding)?;
        }
        let s = k.size()[2];
        if let Some(padding) = padding {
            let found = padding.size();
            for (d, expected) in [sizes.n, s].into_iter().enumerate() {
                if found[d] != expected {
                    return assertion(format!(
                        "Expected key_padded_mask.shape[{d}] to be {expected}, but got {}",
                        found[d]
                    ));
                }
            }
            let padding = ops::view(&padding, &[n, 1, 1, s as i64])?;
            mask = Some(match mask {
                Some(mask) => ops::add(&mask, &padding, 1)?,
                None => padding,
            });
        }
        let (out, weights) = match self.need_weights {
            true => {
                let (out, weights) = self.weighted([&q, &k, &v], mask.as_ref(), sizes)?;
                (out, Some(weights))
            }
            false => {
                if let Some(mask) = mask.as_ref().filter(|m| m.numel() == 0 && m.size()[..2] != [1, 1]) {
                    // Fails as PyTorch's where there is no example.
                    ops::view(mask, &[n, heads, -1, s as i64])?;
                }
                let options = AttentionOptions {
                    attn_mask: mask.as_ref(),
                    dropout_p: self.dropout_p,
                    is_causal: hint,
                    ..AttentionOptions::default()
                };
                (ops::scaled_dot_product_attention(&q, &k, &v, &options)?, None)
            }
        };
        // Released before the copy below is made.
        drop((q, k, v));
        // In memory the sequence comes first whatever the batch's place: dropout draws in the order of memory.
        let out = ops::reshape(&ops::permute(&out, &[2, 0, 1, 3])?, &[l * n, heads * width])?;
        let out = ops::linear(&out, self.out_proj.0, self.out_proj.1)?;
        let columns = out.size()[1] as i64;
        let out = ops::view(&out, &[l, n, columns])?;
        let out = if sizes.batch_first { ops::transpose(&out, 0, 1)? } else { out };
        match sizes.batched {
            true => Ok((out, weights)),
            false => {
                let weights = weights.map(|w| ops::squeeze(&w, Some(&[0]))).transpose()?;
                Ok((ops::squeeze(&out, Some(&[1]))?, weights))
            }
        }
    }

    /// The output of `[n, heads, l, width]` and the weights that the user sees.
    #[track_caller]
    fn weighted(&self, [q, k, v]: [&Tensor; 3], mask: Option<&Tensor>, sizes: &Sizes) -> Result<(Tensor, Tensor)> {
        let [l, n, _, heads, width] = sizes.i64();
        let s = k.size()[2] as i64;
        let flat = |x: &Tensor, rows: i64| ops::reshape(x, &[n * heads, rows, width]);
        let q = flat(&ops::mul(q, (1.0 / sizes.width as f64).sqrt())?, l)?;
        let k = ops::transpose(&flat(k, s)?, -2, -1)?;
        let scores = match mask {
            Some(mask) => {
                // One mask for all heads stays one.
                let mask = match &mask.size()[..2] {
                    [1, 1] => ops::squeeze(mask, Some(&[0]))?,
                    _ => {
                        let rows = mask.size()[2] as i64;
                        ops::reshape(&ops::expand(mask, &[n, heads, rows, s])?, &[n * heads, rows, s])?
                    }
                };
                ops::baddbmm(&mask, &q, &k, 1, 1)?
            }
            None => ops::bmm(&q, &k)?,
        };
        let mut weights = ops::softmax(&scores, -1, None)?;
        if self.dropout_p > 0.0 {
            weights = ops::dropout(&weights, self.dropout_p, true)?;
        }
        let out = ops::view(&ops::bmm(&weights, &flat(v, s)?)?, &[n, heads, l, width])?;
        let weights = ops::view(&weights, &[n, heads, l, s])?;
        let weights = if self.average_attn_weights { ops::mean(&weights, &[1], false, None)? } else { weights };
        Ok((out, weights))
    }
}

/// The mask as `[1 or n, 1 or heads, l, s]`.
fn attention_mask(mask: &Tensor, sizes: &Sizes) -> Result<Tensor> {
    let [l, n, s, heads, _] = sizes.i64();
    let plane = [sizes.l, sizes.s];
    let block = [sizes.n * sizes.heads, sizes.l, sizes.s];
    let wrong = |d: usize, expected: String| {
        Err(Error::runtime(format!("The shape of the {d}D attn_mask is {}, but should be {expected}.", mask.size())))
    };
    match mask.dim() {
        2 if mask.size() != plane => wrong(2, py_tuple(&plane)),
        2 => ops::view(mask, &[1, 1, l, s]),
        3 if mask.size() != block => wrong(3, py_tuple(&block)),
        3 => ops::reshape(mask, &[n, heads, l, s]),
        d => Err(Error::runtime(format!("attn_mask's dimension {d} is not supported"))),
    }
}

/// `static_k` or `static_v` by heads.
fn fixed_heads(name: &str, x: &Tensor, sizes: &Sizes) -> Result<Tensor> {
    let (found, rows) = (x.size(), sizes.n * sizes.heads);
    for (d, expected) in [(0, rows), (2, sizes.width)] {
        if found[d] != expected {
            return assertion(format!("expecting {name}.size({d}) of {expected}, but got {}", found[d]));
        }
    }
    ops::reshape(x, &[sizes.n as i64, sizes.heads as i64, found[1] as i64, sizes.width as i64])
}

/// A projection that holds `N` parts side by side, by parts and heads. One concatenation is their backward.
fn parts<const N: usize>(x: &Tensor, sizes: &Sizes) -> Result<[Tensor; N]> {
    let [a, b, columns] = x.sizes::<[usize; 3]>();
    let e = sizes.heads * sizes.width;
    let [a, b, heads, width] = [a, b, sizes.heads, sizes.width].map(|n| n as i64);
    if columns != N * e {
        // Fails as PyTorch's.
        ops::unflatten(x, -1, &[N as i64, e as i64])?;
    }
    let parts = match N {
        1 => vec![ops::view(x, &[a, b, heads, width])?],
        _ => ops::unbind(&ops::view(x, &[a, b, N as i64, heads, width])?, 2)?,
    };
    Ok(parts.try_into().expect("as many parts as the dimension is long"))
}

fn three(list: Vec<Tensor>) -> [Tensor; 3] {
    list.try_into().expect("three of them")
}
