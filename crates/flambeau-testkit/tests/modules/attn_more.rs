//! Attention beyond goldens: gradients of higher order, blocks of scores, hooks of calls with keywords, warnings.

use flambeau_autograd::{
    GradCheckOptions, OrPanic, Result, Tensor, grad, gradcheck, gradgradcheck, ops, randn, warned,
};
use flambeau_device::manual_seed;
use flambeau_nn::{self as nn, Call, Module, Value, functional as F};
use flambeau_tensor::{DType, Device};
use flambeau_testkit::catch::catch;
use flambeau_testkit::work::{GPU, OnGpu, alone};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

fn double(shape: &[usize]) -> Tensor {
    randn(shape).double().mul(0.5).requires_grad_(true)
}

/// Calls `F::multi_head_attention_forward_with` on query, key, value, both weights and both biases.
fn call(
    x: &[Tensor],
    options: impl FnOnce(F::MultiHeadAttentionForwardOptions) -> F::MultiHeadAttentionForwardOptions,
) -> Vec<Tensor> {
    let none: Option<&Tensor> = None;
    let (y, weights) = F::multi_head_attention_forward_with(
        &x[0], &x[1], &x[2], 4, 2, &x[3], &x[4], none, none, false, 0.0, &x[5], &x[6], options,
    );
    [Some(y), weights].into_iter().flatten().collect()
}

type Options = fn(F::MultiHeadAttentionForwardOptions) -> F::MultiHeadAttentionForwardOptions;

fn subsequent(n: usize) -> Tensor {
    nn::Transformer::generate_square_subsequent_mask_with(n, |o| o.dtype(DType::F64))
}

/// Ways to call attention, each with another path through it.
const WAYS: &[(&str, Options)] = &[
    ("weights", |o| o),
    ("each head's weights", |o| o.average_attn_weights(false)),
    ("no weights", |o| o.need_weights(false)),
    ("a mask", |o| o.need_weights(false).attn_mask(subsequent(3))),
    ("a hint", |o| o.need_weights(false).attn_mask(subsequent(3)).is_causal(true)),
    ("a mask and weights", |o| o.attn_mask(subsequent(3).lt(0))),
    ("padding", |o| {
        o.need_weights(false).key_padding_mask(ops::lt(&ones(&[2, 3]).triu_with(|o| o.diagonal(1)), 1).or_panic())
    }),
];

fn ones(shape: &[usize]) -> Tensor {
    flambeau_autograd::ones(shape).double()
}

#[test]
fn gradients_of_attention_agree_with_differences_to_the_second_order() {
    let _generator = alone();
    manual_seed(3);
    let shapes: [&[usize]; 7] = [&[3, 2, 4], &[3, 2, 4], &[3, 2, 4], &[12, 4], &[12], &[4, 4], &[4]];
    let inputs: Vec<Tensor> = shapes.iter().map(|shape| double(shape)).collect();
    for (name, way) in WAYS {
        let f = |x: &[Tensor]| -> Result<Vec<Tensor>> { Ok(call(x, way)) };
        gradcheck(&f, &inputs, GradCheckOptions::default()).unwrap_or_else(|e| panic!("{name}: {e}"));
        gradgradcheck(&f, &inputs, GradCheckOptions::default()).unwrap_or_else(|e| panic!("{name}, second order: {e}"));
    }
    println!("count: {} ways to call attention, differentiated twice", WAYS.len());
}

/// softmax(q·kᵀ·scale + mask)·v as a user would write it.
fn plain([q, k, v]: [&Tensor; 3], mask: Option<&Tensor>, is_causal: bool) -> Tensor {
    let scale = 1.0 / (q.size()[3] as f64).sqrt();
    let scores = q.matmul(k.transpose(-2, -1)).mul(scale);
    let hidden = |x: Tensor, keep: &Tensor| x.masked_fill(keep.logical_not(), f64::NEG_INFINITY);
    let (l, s) = (q.size()[2], k.size()[2]);
    let scores = match mask {
        Some(mask) if mask.dtype() == DType::Bool => hidden(scores, mask),
        Some(mask) => scores + mask,
        None if is_causal => hidden(scores, &ones(&[l, s]).to(q.device()).tril().gt(0)),
        None => scores,
    };
    let dead = scores.amax_dim(-1, true).eq(f64::NEG_INFINITY);
    let weights = scores.masked_fill(&dead, 0).softmax(-1).masked_fill(&dead, 0);
    weights.matmul(v)
}

/// Output and gradients.
fn all(y: &Tensor, inputs: [&Tensor; 3]) -> Vec<Tensor> {
    manual_seed(4);
    let g = randn(y.size()).to((y.device(), y.dtype()));
    let mut out = vec![y.detach()];
    out.extend(grad(&[y], &inputs, &[Some(&g)], false, false, true).unwrap().into_iter().map(|g| g.expect("used")));
    out
}

/// Attention beside [`plain`]; the shapes are examples, heads, queries, keys.
fn blocks_agree(shapes: &[[usize; 4]], device: Device) -> usize {
    let mut cases = 0;
    for &[n, heads, l, s] in shapes {
        manual_seed(5);
        // Heads lie beside each other, as an input projection leaves them.
        let input = |rows: usize| {
            let x = randn([n, rows, heads, 3]).to(device).requires_grad_(true);
            (x.permute([0, 2, 1, 3]), x)
        };
        let ((q, _q), (k, _k), (v, _v)) = (input(l), input(s), input(s));
        let keep = randn([n, 1, l, s]).to(device).gt(-0.5);
        let rows = randn([n, 1, l, 1]).to(device).gt(1.2).logical_not();
        let masks = [
            (None, false),
            (None, true),
            (Some(keep.logical_and(&rows)), false),
            (Some(randn([l, s]).to(device)), false),
            (Some(keep.select(2, 0).unsqueeze(2)), false),
        ];
        for (mask, is_causal) in masks {
            let ours = F::scaled_dot_product_attention_with(&q, &k, &v, |o| o.attn_mask(&mask).is_causal(is_causal));
            let name = ours.grad_fn().map(|node| node.name().to_owned());
            assert_eq!(name.as_deref(), Some("ScaledDotProductFlashAttentionForCpuBackward0"));
            let theirs = plain([&q, &k, &v], mask.as_ref(), is_causal);
            for (i, (a, b)) in all(&ours, [&q, &k, &v]).iter().zip(all(&theirs, [&q, &k, &v])).enumerate() {
                let gap = (a - &b).abs().max().item();
                assert!(gap < 2e-4, "{n} {heads} {l} {s}, causal {is_causal}, {i}: {gap}");
            }
            cases += 1;
        }
    }
    cases
}

#[test]
fn attention_in_blocks_is_attention() {
    let _generator = alone();
    // One block for all, one for each example, for some heads, for some queries; more keys than queries and fewer.
    let shapes = [[2, 3, 4, 5], [5, 2, 200, 210], [1, 5, 300, 290], [2, 2, 600, 500], [1, 2, 500, 620], [1, 1, 7, 3]];
    println!("count: {} shapes and masks of attention in blocks", blocks_agree(&shapes, Device::Cpu));
}

#[test]
fn attention_in_blocks_on_a_gpu_is_attention() {
    let _gpu = OnGpu::new();
    let shapes = [[2, 3, 4, 5], [2, 2, 40, 50], [1, 1, 7, 3]];
    println!("count: {} GPU cases: shapes and masks of attention", blocks_agree(&shapes, GPU));
}

#[test]
fn hooks_see_a_call_with_keywords() {
    let _generator = alone();
    let attention = nn::MultiheadAttention::new(4, 2);
    let x = randn([3, 1, 4]);
    let seen = Arc::new(AtomicUsize::new(0));
    let count = seen.clone();
    // A hook of the module's own signature sees inputs and keywords.
    let typed =
        attention.register_forward_hook(move |_, ((q, _, _), keywords), (_, weights): &(Tensor, Option<Tensor>)| {
            assert!(!keywords.need_weights && weights.is_none() && q.size() == [3, 1, 4]);
            count.fetch_add(1, Ordering::Relaxed);
            None
        });
    drop(attention.call_with(&x, &x, &x, |o| o.need_weights(false)));
    assert_eq!(seen.load(Ordering::Relaxed), 1);
    typed.remove();
    // One of any module sees the inputs, and what it changes keeps the keywords.
    let module: &dyn Module = &attention;
    let erased = module.register_forward_pre_hook(|_, value| {
        let Value::Tuple(parts) = value else { panic!("three inputs") };
        assert_eq!(parts.len(), 3);
        let zeros = |v: &Value| Value::Tensor(v.tensor().expect("a tensor").mul(0.0));
        Some(Value::Tuple(parts.iter().map(zeros).collect()))
    });
    let (y, weights) = attention.call_with(&x, &x, &x, |o| o.need_weights(false));
    assert!(weights.is_none() && y.abs().max().item() == 0.0);
    erased.remove();
    assert!(attention.call(&x, &x, &x).0.abs().max().item() > 0.0);
}

#[test]
fn masks_of_two_kinds_are_warned_of() {
    // Other tests warn too.
    let _alone = alone();
    let attention = nn::MultiheadAttention::new(2, 1);
    let x = ones(&[3, 2]).float();
    let words = "Support for mismatched key_padding_mask and attn_mask is deprecated. Use same type for both instead.";
    let (mask, padding) = (ones(&[3, 3]).float(), ones(&[3]).lt(0));
    drop(attention.call_with(&x, &x, &x, |o| o.attn_mask(&mask).key_padding_mask(&padding)));
    // Once for a line of the user's; other tests' lines count too.
    assert!(warned(words) >= 1);
    let words = "enable_nested_tensor is True, but self.use_nested_tensor is False because \
                 encoder_layer.self_attn.batch_first was not True(use batch_first for better inference performance)";
    let before = warned(words);
    drop(nn::TransformerEncoder::new(nn::TransformerEncoderLayer::new(2, 2), 1));
    assert_eq!(warned(words), before + 1);
    let other = catch(|| nn::TransformerEncoderLayer::with(2, 2, |o| o.activation("silu")));
    assert_eq!(other.err().as_deref(), Some("activation should be relu/gelu, not silu"));
}

/// An encoder of the user's in a transformer.
#[derive(Module)]
struct Doubles {
    scale: nn::Linear,
}

impl nn::Forward<nn::TransformerEncoderInput> for Doubles {
    fn forward(&self, (src, keywords): (&Tensor, &Arc<nn::TransformerEncoderKeywords>)) -> Tensor {
        assert!(keywords.mask.is_some());
        self.scale.call(src)
    }
}

#[test]
fn transformers_take_other_parts() {
    let _generator = alone();
    let small = |o: nn::TransformerOptions| o.d_model(4).nhead(2).num_decoder_layers(1).dim_feedforward(4);
    let model = nn::Transformer::with(|o| small(o).custom_encoder(Doubles { scale: nn::Linear::new(4, 4) }));
    let x = randn([3, 2, 4]);
    let mask = nn::Transformer::generate_square_subsequent_mask(3);
    assert_eq!(model.call_with(&x, &x, |o| o.src_mask(&mask).tgt_mask(&mask)).size(), [3, 2, 4]);
    assert_eq!(model.state_dict().keys().next(), Some("encoder.scale.weight"));
    let own = Call::call::<nn::TransformerEncoderInput, Tensor>(
        &model.encoder,
        (&x, Arc::new(nn::TransformerEncoderKeywords::default().mask(&mask))),
    );
    assert_eq!(own.size(), [3, 2, 4]);
}
