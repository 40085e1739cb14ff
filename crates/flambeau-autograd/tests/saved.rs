//! What each operation saves for its backward, beside PyTorch: a tensor that was written to since is found out, with the
//! same words, and so is a graph that was freed. The table of PyTorch's answers is `goldens/saved.py`'s.

mod golden;

use flambeau_autograd::ops::{
    self, AvgPoolOptions, ConvOptions, ConvTransposeOptions, EmbeddingOptions, InterpolateOptions, MaxPoolOptions,
    PadMode, PadOptions, UnfoldOptions,
};
use flambeau_autograd::{Result, Tensor, backward};
use std::collections::BTreeMap;

type Op = fn(&[Tensor]) -> Result<Vec<Tensor>>;

fn one(t: Result<Tensor>) -> Result<Vec<Tensor>> {
    Ok(vec![t?])
}

fn two(pair: Result<(Tensor, Tensor)>) -> Result<Vec<Tensor>> {
    let (a, b) = pair?;
    Ok(vec![a, b])
}

/// The operations by the names that the script has for them.
fn table() -> BTreeMap<&'static str, Op> {
    let all: &[(&'static str, Op)] = &[
        ("add", |t| one(ops::add(&t[0], &t[1], 1))),
        ("mul", |t| one(ops::mul(&t[0], &t[1]))),
        ("mul_constant", |t| one(ops::mul(&t[0], &t[1]))),
        ("div", |t| one(ops::div(&t[0], &t[1]))),
        ("pow", |t| one(ops::pow(&t[0], &t[1]))),
        ("pow_scalar", |t| one(ops::pow(&t[0], 3))),
        ("exp", |t| one(ops::exp(&t[0]))),
        ("log", |t| one(ops::log(&t[0]))),
        ("tanh", |t| one(ops::tanh(&t[0]))),
        ("sigmoid", |t| one(ops::sigmoid(&t[0]))),
        ("sqrt", |t| one(ops::sqrt(&t[0]))),
        ("relu", |t| one(ops::relu(&t[0]))),
        ("gelu", |t| one(ops::gelu(&t[0], false))),
        ("silu", |t| one(ops::silu(&t[0]))),
        ("softplus", |t| one(ops::softplus(&t[0], 1.0, 20.0))),
        ("elu", |t| one(ops::elu(&t[0], 1.0))),
        ("leaky_relu", |t| one(ops::leaky_relu(&t[0], 0.01))),
        ("hardtanh", |t| one(ops::hardtanh(&t[0], -1.0, 1.0))),
        ("prelu", |t| one(ops::prelu(&t[0], &t[1]))),
        ("clamp", |t| one(ops::clamp(&t[0], Some(0.2.into()), Some(0.5.into())))),
        ("maximum", |t| one(ops::maximum(&t[0], &t[1]))),
        ("where", |t| one(ops::where_(&t[0], &t[1], &t[2]))),
        ("lerp", |t| one(ops::lerp(&t[0], &t[1], 0.3))),
        ("lerp_tensor", |t| one(ops::lerp(&t[0], &t[1], &t[2]))),
        ("addcmul", |t| one(ops::addcmul(&t[0], &t[1], &t[2], 1))),
        ("addcdiv", |t| one(ops::addcdiv(&t[0], &t[1], &t[2], 1))),
        ("atan2", |t| one(ops::atan2(&t[0], &t[1]))),
        ("logaddexp", |t| one(ops::logaddexp(&t[0], &t[1]))),
        ("sum", |t| one(ops::sum(&t[0], &[], false, None))),
        ("mean_dim", |t| one(ops::mean(&t[0], &[1], false, None))),
        ("prod", |t| one(ops::prod(&t[0], None, false, None))),
        ("prod_dim", |t| one(ops::prod(&t[0], Some(1), false, None))),
        ("var", |t| one(ops::var(&t[0], &[], 1.0, false))),
        ("std", |t| one(ops::std(&t[0], &[1], 1.0, false))),
        ("norm", |t| one(ops::vector_norm(&t[0], 2.0, &[], false, None))),
        ("logsumexp", |t| one(ops::logsumexp(&t[0], &[1], false))),
        ("max", |t| one(ops::max(&t[0]))),
        ("amax", |t| one(ops::amax(&t[0], &[1], false))),
        ("aminmax", |t| two(ops::aminmax(&t[0], Some(1), false))),
        ("max_dim", |t| two(ops::max_dim(&t[0], 1, false))),
        ("max_dim_keepdim", |t| two(ops::max_dim(&t[0], 0, true))),
        ("min_dim", |t| two(ops::min_dim(&t[0], 1, false))),
        ("median", |t| one(ops::median(&t[0]))),
        ("median_dim", |t| two(ops::median_dim(&t[0], 1, false))),
        ("kthvalue", |t| two(ops::kthvalue(&t[0], 2, 1, false))),
        ("sort", |t| two(ops::sort(&t[0], 1, false, None))),
        ("topk", |t| two(ops::topk(&t[0], 2, 1, true))),
        ("cummax", |t| two(ops::cummax(&t[0], 1))),
        ("cummin", |t| two(ops::cummin(&t[0], 1))),
        ("cumsum", |t| one(ops::cumsum(&t[0], 1, None))),
        ("cumprod", |t| one(ops::cumprod(&t[0], 1, None))),
        ("softmax", |t| one(ops::softmax(&t[0], 1, None))),
        ("log_softmax", |t| one(ops::log_softmax(&t[0], 1, None))),
        ("gather", |t| one(ops::gather(&t[0], 1, &t[1]))),
        ("take_along_dim", |t| one(ops::take_along_dim(&t[0], &t[1], Some(1)))),
        ("index_select", |t| one(ops::index_select(&t[0], 1, &t[1]))),
        ("index_select_int32", |t| one(ops::index_select(&t[0], 1, &t[1]))),
        ("take", |t| one(ops::take(&t[0], &t[1]))),
        ("index", |t| one(ops::index(&t[0], &t[1]))),
        ("index_two", |t| one(ops::index(&t[0], (&t[1], &t[2])))),
        ("index_column", |t| one(ops::index(&t[0], (.., &t[1])))),
        ("index_negative", |t| one(ops::index(&t[0], &t[1]))),
        ("index_mask", |t| one(ops::index(&t[0], &t[1]))),
        ("masked_select", |t| one(ops::masked_select(&t[0], &t[1]))),
        ("masked_fill", |t| one(ops::masked_fill(&t[0], &t[1], 2.0))),
        ("masked_fill_tensor", |t| one(ops::masked_fill(&t[0], &t[1], &t[2]))),
        ("masked_scatter", |t| one(ops::masked_scatter(&t[0], &t[1], &t[2]))),
        ("index_add", |t| one(ops::index_add(&t[0], 0, &t[1], &t[2], 1))),
        ("index_copy", |t| one(ops::index_copy(&t[0], 0, &t[1], &t[2]))),
        ("index_fill", |t| one(ops::index_fill(&t[0], 0, &t[1], 2.0))),
        ("index_put", |t| one(ops::index_put(&t[0], &[Some(&t[1])], &t[2], false))),
        ("put", |t| one(ops::put(&t[0], &t[1], &t[2], false))),
        ("scatter", |t| one(ops::scatter(&t[0], 1, &t[1], &t[2]))),
        ("scatter_value", |t| one(ops::scatter(&t[0], 1, &t[1], 2.0))),
        ("scatter_add", |t| one(ops::scatter_add(&t[0], 1, &t[1], &t[2]))),
        ("scatter_reduce_amax", |t| one(ops::scatter_reduce(&t[0], 1, &t[1], &t[2], "amax", true))),
        ("scatter_reduce_sum", |t| one(ops::scatter_reduce(&t[0], 1, &t[1], &t[2], "sum", true))),
        ("embedding", |t| one(ops::embedding(&t[1], &t[0], &EmbeddingOptions::default()))),
        ("matmul", |t| one(ops::matmul(&t[0], &t[1]))),
        ("bmm", |t| one(ops::bmm(&t[0], &t[1]))),
        ("mv", |t| one(ops::mv(&t[0], &t[1]))),
        ("dot", |t| one(ops::dot(&t[0], &t[1]))),
        ("outer", |t| one(ops::outer(&t[0], &t[1]))),
        ("addmm", |t| one(ops::addmm(&t[0], &t[1], &t[2], 1, 1))),
        ("linear", |t| one(ops::linear(&t[0], &t[1], Some(&t[2])))),
        ("conv2d", |t| one(ops::conv2d(&t[0], &t[1], Some(&t[2]), &ConvOptions::default()))),
        ("conv_transpose1d", |t| one(ops::conv_transpose1d(&t[0], &t[1], None, &ConvTransposeOptions::default()))),
        ("max_pool1d", |t| two(ops::max_pool1d_with_indices(&t[0], &[2], &MaxPoolOptions::default()))),
        ("max_pool2d", |t| two(ops::max_pool2d_with_indices(&t[0], &[2], &MaxPoolOptions::default()))),
        ("max_pool3d", |t| two(ops::max_pool3d_with_indices(&t[0], &[2], &MaxPoolOptions::default()))),
        ("adaptive_max_pool2d", |t| two(ops::adaptive_max_pool2d_with_indices(&t[0], &[Some(2)]))),
        ("avg_pool2d", |t| one(ops::avg_pool2d(&t[0], &[2], &AvgPoolOptions::default()))),
        ("adaptive_avg_pool2d", |t| one(ops::adaptive_avg_pool2d(&t[0], &[Some(2)]))),
        ("batch_norm", |t| one(ops::batch_norm(&t[0], None, None, Some(&t[1]), Some(&t[2]), true, 0.1, 1e-5))),
        ("batch_norm_running", |t| one(normalized(t, true))),
        ("batch_norm_eval", |t| one(normalized(t, false))),
        ("layer_norm", |t| one(ops::layer_norm(&t[0], &[3], Some(&t[1]), Some(&t[2]), 1e-5))),
        ("group_norm", |t| one(ops::group_norm(&t[0], 2, Some(&t[1]), Some(&t[2]), 1e-5))),
        ("nll_loss", |t| loss(t, ops::nll_loss)),
        ("nll_loss_weight", |t| loss_with(t, ops::nll_loss, |o| o.weight(&t[2]))),
        ("nll_loss_none", |t| loss_with(t, ops::nll_loss, |o| o.reduction("none"))),
        ("nll_loss_2d", |t| loss(t, ops::nll_loss)),
        ("cross_entropy", |t| loss(t, ops::cross_entropy)),
        ("cross_entropy_weight", |t| loss_with(t, ops::cross_entropy, |o| o.weight(&t[2]))),
        ("cross_entropy_smoothed", |t| loss_with(t, ops::cross_entropy, |o| o.label_smoothing(0.1))),
        ("cross_entropy_smoothed_weight", |t| {
            loss_with(t, ops::cross_entropy, |o| o.label_smoothing(0.1).weight(&t[2]))
        }),
        ("cross_entropy_probabilities", |t| loss(t, ops::cross_entropy)),
        ("multi_margin_loss", |t| loss(t, ops::multi_margin_loss)),
        ("multi_margin_loss_weight", |t| loss_with(t, ops::multi_margin_loss, |o| o.weight(&t[2]))),
        ("mse_loss", |t| loss(t, ops::mse_loss)),
        ("l1_loss", |t| loss(t, ops::l1_loss)),
        ("smooth_l1_loss", |t| loss(t, ops::smooth_l1_loss)),
        ("huber_loss", |t| loss(t, ops::huber_loss)),
        ("binary_cross_entropy", |t| loss(t, ops::binary_cross_entropy)),
        ("binary_cross_entropy_weight", |t| loss_with(t, ops::binary_cross_entropy, |o| o.weight(&t[2]))),
        ("bce_with_logits", |t| loss(t, ops::binary_cross_entropy_with_logits)),
        ("kl_div", |t| loss_with(t, ops::kl_div, |o| o.reduction("sum"))),
        ("soft_margin_loss", |t| loss(t, ops::soft_margin_loss)),
        ("dropout", |t| one(ops::dropout(&t[0], 0.5, true))),
        ("view", |t| one(ops::view(&t[0], &[6]))),
        ("t", |t| one(ops::t(&t[0]))),
        ("slice", |t| one(ops::slice(&t[0], 1, Some(1), None, 1))),
        ("select", |t| one(ops::select(&t[0], 0, 1))),
        ("expand", |t| one(ops::expand(&t[0], &[2, 3]))),
        ("unfold", |t| one(ops::unfold(&t[0], 1, 2, 1))),
        ("diagonal", |t| one(ops::diagonal(&t[0], 0, 0, 1))),
        ("clone", |t| one(ops::clone(&t[0]))),
        ("double", |t| one(ops::to_dtype(&t[0], flambeau_tensor::DType::F64))),
        ("flip", |t| one(ops::flip(&t[0], &[0]))),
        ("roll", |t| one(ops::roll(&t[0], &[1], &[0]))),
        ("repeat", |t| one(ops::repeat(&t[0], &[2, 1]))),
        ("repeat_interleave", |t| one(ops::repeat_interleave_each(&t[0], &t[1], Some(1)))),
        ("cat", |t| one(ops::cat(t, 0))),
        ("stack", |t| one(ops::stack(t, 0))),
        ("tril", |t| one(ops::tril(&t[0], 0))),
        ("trace", |t| one(ops::trace(&t[0]))),
        ("diag_embed", |t| one(ops::diag_embed(&t[0], 0, -2, -1))),
        ("select_scatter", |t| one(ops::select_scatter(&t[0], &t[1], 0, 1))),
        ("pad", |t| one(ops::pad(&t[0], &[1, 1], &PadOptions::default()))),
        ("pad_reflect", |t| {
            one(ops::pad(&t[0], &[1, 1], &PadOptions { mode: PadMode::Reflect, ..PadOptions::default() }))
        }),
        ("im2col", |t| one(ops::im2col(&t[0], &[2], &UnfoldOptions::default()))),
        ("interpolate", |t| {
            let scale_factor = Some([2.0].into_iter().collect());
            one(ops::interpolate(&t[0], &InterpolateOptions { scale_factor, ..InterpolateOptions::default() }))
        }),
        ("pixel_shuffle", |t| one(ops::pixel_shuffle(&t[0], 2))),
        ("max_unpool2d", |t| one(ops::max_unpool2d(&t[0], &t[1], &[2], &MaxPoolOptions::default(), None))),
        ("cosine_similarity", |t| one(ops::cosine_similarity(&t[0], &t[1], 1, 1e-8))),
        ("cdist_like", |t| one(ops::pairwise_distance(&t[0], &t[1], 2.0, 1e-6, false))),
        ("einsum", |t| one(ops::einsum("ij,jk->ik", t))),
    ];
    all.iter().copied().collect()
}

type Loss<O> = fn(&Tensor, &Tensor, &O) -> Result<Tensor>;

fn loss<O: Default>(t: &[Tensor], f: Loss<O>) -> Result<Vec<Tensor>> {
    loss_with(t, f, |o| o)
}

fn loss_with<O: Default>(t: &[Tensor], f: Loss<O>, set: impl FnOnce(O) -> O) -> Result<Vec<Tensor>> {
    one(f(&t[0], &t[1], &set(O::default())))
}

fn normalized(t: &[Tensor], training: bool) -> Result<Tensor> {
    ops::batch_norm(&t[0], Some(&t[1]), Some(&t[2]), Some(&t[3]), Some(&t[4]), training, 0.1, 1e-5)
}

/// Where this library is not PyTorch, on purpose: it saves the same in other words, or something else that serves.
/// `Words`: the write is found, the message describes another tensor. `Missed`: the write is not found, since the backward
/// does not read what was written to. `Found`: the write is found, PyTorch does not read it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Differs {
    Words,
    Missed,
    Found,
}
use Differs::{Found, Missed, Words};

const DIFFERS: &[(&str, &str, Differs)] = &[
    // What the running statistics were is not needed, and each forward in training writes to them.
    ("batch_norm_running", "1", Missed),
    ("batch_norm_running", "2", Missed),
    // Composed of other operations here: a view of the statistics is saved, and the inverse root of the variance.
    ("batch_norm_eval", "1", Words),
    ("batch_norm_eval", "2", Missed),
    ("batch_norm_eval", "3", Words),
    // PyTorch saves these for their shapes only.
    ("layer_norm", "2", Missed),
    ("cummax", "0", Missed),
    ("cummin", "0", Missed),
    // The weight is saved, not its transpose; the weights, not a product with them; and the rows as they are compared.
    ("linear", "1", Words),
    ("cross_entropy_smoothed_weight", "2", Words),
    ("binary_cross_entropy_weight", "2", Words),
    ("cosine_similarity", "0", Words),
    ("cosine_similarity", "1", Words),
    // PyTorch saves the difference.
    ("l1_loss", "0", Found),
    ("l1_loss", "1", Found),
];

/// A forward; all its tensors by name, and a loss.
fn forward(op: Op, case: &serde_json::Value) -> (Vec<(String, Tensor)>, Tensor) {
    flambeau_device::manual_seed(0);
    let given: Vec<Tensor> = case["args"].as_array().unwrap().iter().map(golden::tensor).collect();
    let outs = op(&given).unwrap_or_else(|e| panic!("{}: {e}", case["op"]));
    let differentiable = outs.iter().filter(|t| t.requires_grad());
    let loss = differentiable.map(|t| t.sum()).reduce(|a, b| &a + &b).expect("an output requires grad");
    let names = (0..given.len()).map(|i| i.to_string()).chain((0..outs.len()).map(|i| format!("out{i}")));
    (names.zip(given.into_iter().chain(outs)).collect(), loss)
}

fn message(loss: &Tensor) -> Option<String> {
    backward(&[loss], &[None], false, false).err().map(|e| e.to_string())
}

#[test]
fn writes_and_freed_graphs_are_found_where_pytorch_finds_them() {
    let (table, cases) = (table(), golden::cases("saved.jsonl.gz"));
    assert!(cases.len() >= 146 && cases.len() == table.len(), "{} cases, {} rows", cases.len(), table.len());
    let (mut wrong, mut differing) = (Vec::new(), 0);
    for case in &cases {
        let name = golden::text(case, "op").unwrap();
        let op = table[name];
        let (_, loss) = forward(op, case);
        assert_eq!(message(&loss), None, "{name}");
        let second = message(&loss);
        if second.as_deref() != golden::text(case, "second") {
            wrong.push(format!("{name}: a second backward gives {second:?}"));
        }
        for (key, expected) in case["written"].as_object().unwrap() {
            let (tensors, loss) = forward(op, case);
            let (_, target) = tensors.iter().find(|(name, _)| name == key).unwrap();
            target.detach().zero_();
            let found = message(&loss);
            // Ours goes on with the line of the write.
            let same = match (expected.as_str(), &found) {
                (None, None) => true,
                (Some(expected), Some(found)) => found.starts_with(expected),
                _ => false,
            };
            let differs = DIFFERS.iter().find(|(op, tensor, _)| *op == name && tensor == key).map(|d| d.2);
            let how = match (expected.as_str(), &found) {
                (Some(_), Some(_)) => Words,
                (Some(_), None) => Missed,
                _ => Found,
            };
            match (same, differs) {
                (true, None) => {}
                (false, Some(known)) if known == how => differing += 1,
                _ => wrong.push(format!("{name}: {key} written to\n  gives    {found:?}\n  expected {expected}")),
            }
        }
    }
    assert!(wrong.is_empty(), "{} cases:\n{}", wrong.len(), wrong.join("\n"));
    assert_eq!(differing, DIFFERS.len());
}

/// The indices that an operation gives are the user's: writing to them must not move the gradient.
#[test]
fn returned_indices_that_were_written_to_fail_backward() {
    let picks: [(&str, Op); 8] = [
        ("max", |t| two(ops::max_dim(&t[0], 1, false))),
        ("min", |t| two(ops::min_dim(&t[0], 1, true))),
        ("sort", |t| two(ops::sort(&t[0], 1, true, None))),
        ("topk", |t| two(ops::topk(&t[0], 1, 1, false))),
        ("kthvalue", |t| two(ops::kthvalue(&t[0], 1, 1, true))),
        ("median", |t| two(ops::median_dim(&t[0], 1, true))),
        ("cummax", |t| two(ops::cummax(&t[0], 1))),
        ("cummin", |t| two(ops::cummin(&t[0], 1))),
    ];
    for (name, op) in picks {
        let x = flambeau_autograd::tensor([[1.0, 3.0, 2.0], [6.0, 5.0, 4.0]]).requires_grad_(true);
        let outs = op(std::slice::from_ref(&x)).unwrap();
        outs[1].fill_(0);
        let error = message(&outs[0].sum()).unwrap_or_else(|| panic!("{name}: the gradient went elsewhere"));
        assert!(error.contains("modified by an inplace operation: [torch.LongTensor"), "{name}: {error}");
        assert!(x.grad().is_none(), "{name}");
    }
}
