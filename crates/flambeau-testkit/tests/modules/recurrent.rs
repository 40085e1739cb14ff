//! What goldens of single calls do not show of recurrent layers: second derivatives, files, training, hooks, copies.

use std::collections::BTreeMap;

use flambeau_autograd::ops::{self, RnnCall, RnnMode};
use flambeau_autograd::{GradCheckOptions, Tensor, from_vec, grad, gradcheck, gradgradcheck};
use flambeau_device::manual_seed;
use flambeau_nn::utils::rnn::{PackedSequence, pack_padded_sequence_with, pack_sequence_with};
use flambeau_nn::{self as nn, Call, Module};
use flambeau_testkit::catch::catch;
use flambeau_testkit::golden::load_module_file;
use flambeau_testkit::work::alone;
use torch::nn::utils::clip_grad_norm_;

use crate::{check, random, rnn};

const MODES: [RnnMode; 4] = [RnnMode::Tanh, RnnMode::Relu, RnnMode::Lstm, RnnMode::Gru];

/// Numbers without a pattern, in float64, that require grad.
fn numbers(shape: &[usize], seed: usize) -> Tensor {
    let n: usize = shape.iter().product();
    let value = |i: usize| ((i * 7919 + seed * 104_729) % 1999) as f64 / 1999.0 - 0.49;
    from_vec((0..n).map(value).collect::<Vec<_>>(), shape).requires_grad_(true)
}

/// One kind of call of `rnn`.
#[derive(Clone, Debug)]
struct Kind {
    mode: RnnMode,
    layers: usize,
    bidirectional: bool,
    bias: bool,
    projection: bool,
    batch_first: bool,
    packed: Option<&'static [usize]>,
    small: bool,
}

impl Kind {
    /// The inputs: x, the states, then the weights.
    fn inputs(&self) -> Vec<Tensor> {
        let small = (1, 1 + usize::from(self.projection), 2, 1);
        let (features, hidden, steps, batch) = if self.small { small } else { (2, 2, 3, 2) };
        let width = if self.projection { 1 } else { hidden };
        let directions = 1 + usize::from(self.bidirectional);
        let x = match (self.packed, self.batch_first) {
            (Some(sizes), _) => vec![sizes.iter().sum(), features],
            (None, true) => vec![batch, steps, features],
            (None, false) => vec![steps, batch, features],
        };
        let mut shapes = vec![x, vec![self.layers * directions, batch, width]];
        if self.mode == RnnMode::Lstm {
            shapes.push(vec![self.layers * directions, batch, hidden]);
        }
        let rows = self.mode.gates() * hidden;
        for layer in 0..self.layers {
            for _ in 0..directions {
                let features = if layer == 0 { features } else { width * directions };
                shapes.extend([vec![rows, features], vec![rows, width]]);
                if self.bias {
                    shapes.extend([vec![rows], vec![rows]]);
                }
                if self.projection {
                    shapes.push(vec![width, hidden]);
                }
            }
        }
        shapes.iter().enumerate().map(|(i, shape)| numbers(shape, i)).collect()
    }

    fn run(&self, inputs: &[Tensor]) -> flambeau_autograd::Result<Vec<Tensor>> {
        let states = 1 + usize::from(self.mode == RnnMode::Lstm);
        let params: Vec<&Tensor> = inputs[1 + states..].iter().collect();
        let out = ops::rnn(&RnnCall {
            mode: self.mode,
            input: &inputs[0],
            batch_sizes: self.packed,
            h0: &inputs[1],
            c0: (states == 2).then(|| &inputs[2]),
            params: &params,
            has_biases: self.bias,
            num_layers: self.layers,
            dropout: 0.0,
            train: true,
            bidirectional: self.bidirectional,
            batch_first: self.batch_first,
        })?;
        Ok([Some(out.output), Some(out.h), out.c].into_iter().flatten().collect())
    }
}

/// Every mode in every arrangement that takes other ways through the code.
fn kinds() -> Vec<Kind> {
    let mut out = Vec::new();
    for mode in MODES {
        let plain = Kind {
            mode,
            layers: 1,
            bidirectional: false,
            bias: true,
            projection: false,
            batch_first: false,
            packed: None,
            small: false,
        };
        let both = Kind { bidirectional: true, ..plain.clone() };
        out.extend([
            plain.clone(),
            Kind { bias: false, batch_first: true, ..plain.clone() },
            Kind { layers: 2, batch_first: true, ..plain.clone() },
            both.clone(),
            Kind { packed: Some(&[2, 2, 1]), ..plain.clone() },
            Kind { packed: Some(&[2, 1, 1]), layers: 2, ..both.clone() },
        ]);
        if mode == RnnMode::Lstm {
            out.push(Kind { projection: true, ..plain.clone() });
            out.push(Kind { projection: true, packed: Some(&[2, 1]), ..both.clone() });
        }
    }
    out
}

/// Runs a check on each kind, lists the failures.
fn each(kinds: &[Kind], check: impl Fn(&Kind) -> Result<(), String>) -> usize {
    let run = |kind: &Kind| catch(|| check(kind)).and_then(|result| result).err().map(|e| format!("{kind:?}: {e}"));
    let failures: Vec<String> = kinds.iter().filter_map(run).collect();
    assert!(failures.is_empty(), "{} failed:\n{}", failures.len(), failures.join("\n"));
    kinds.len()
}

#[test]
fn gradients_are_those_of_differences() {
    let passed = each(&kinds(), |kind| {
        gradcheck(&|inputs| kind.run(inputs), &kind.inputs(), GradCheckOptions::default()).map_err(|e| e.to_string())
    });
    println!("count: {passed} kinds of recurrent layers pass gradcheck");
}

#[test]
fn gradients_of_gradients_are_those_of_differences() {
    // What is differentiated again are PyTorch's operations in turn: one kind of each mode shows that they are put together rightly.
    let second = |kind: &Kind| kind.layers == 1 && kind.bias && !kind.bidirectional && kind.packed.is_none();
    let kinds: Vec<Kind> = kinds().into_iter().filter(second).map(|kind| Kind { small: true, ..kind }).collect();
    let passed = each(&kinds, |kind| {
        gradgradcheck(&|inputs| kind.run(inputs), &kind.inputs(), GradCheckOptions::default())
            .map_err(|e| e.to_string())
    });
    println!("count: {passed} kinds of recurrent layers pass gradgradcheck");
}

/// The layer's own backward beside that of PyTorch's operations in turn, which `create_graph` takes.
#[test]
fn a_recorded_backward_has_the_same_numbers() {
    let passed = each(&kinds(), |kind| {
        // Outputs that nothing is made of, and inputs that do not learn.
        for (used, frozen) in [(0, None), (1, Some(0)), (2, Some(1)), (3, Some(3))] {
            let inputs = kind.inputs();
            if let Some(i) = frozen {
                inputs[i].requires_grad_(false);
            }
            let gradients = |create_graph: bool| {
                let results = kind.run(&inputs).map_err(|e| e.to_string())?;
                let used: Vec<Tensor> = match results.get(used) {
                    Some(one) => vec![one.shallow_clone()],
                    None => results,
                };
                let weighted = used.iter().map(|y| (y * numbers(&y.size(), 5).detach()).sum());
                let loss = weighted.reduce(|a, b| a + b).expect("a result");
                let wanted: Vec<&Tensor> = inputs.iter().filter(|x| x.requires_grad()).collect();
                grad(&[&loss], &wanted, &[None], false, create_graph, true).map_err(|e| e.to_string())
            };
            for (i, (a, b)) in gradients(false)?.iter().zip(gradients(true)?).enumerate() {
                match (a, b) {
                    (Some(a), Some(b)) if a.allclose(&b) && a.size() == b.size() => {}
                    (None, None) => {}
                    // A cell that nothing is made of: the layer has zeros where PyTorch's operations have nothing.
                    (Some(a), None) if a.abs().sum().item() == 0.0 => {}
                    (a, b) => return Err(format!("output {used}, gradient {i}: {a:?} and {b:?}")),
                }
            }
        }
        Ok(())
    });
    println!("count: {passed} kinds of recurrent layers have one gradient on both ways");
}

#[test]
fn a_state_dict_of_pytorch_computes_as_there() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../flambeau-serialize/goldens/lstm.pth");
    let golden = torch::load(path).expect("a golden");
    let lstm = nn::LSTM::with(5, 6, |o| o.num_layers(2).bidirectional(true).batch_first(true));
    let state: nn::StateDict = golden["state"].extract().expect("a state dict");
    lstm.load_state_dict(&state).expect("PyTorch's keys");
    let tensor = |key: &str| golden[key].extract::<Tensor>().expect("a tensor");
    let (output, (hn, cn)) = lstm.call(tensor("x"));
    for (name, ours) in [("output", output), ("hn", hn), ("cn", cn)] {
        let gap = (ours - tensor(name)).abs().max().item();
        assert!(gap < 1e-5, "{name}: {gap}");
    }
}

const TEXT: &str = "the quick brown fox jumps over the lazy dog. pack my box with five dozen liquor jugs. ";

/// An embedding, two recurrent layers with dropout between them, and a head: `goldens/char_rnn.py`.
struct CharRnn<K: nn::RecurrentKind> {
    embedding: nn::Embedding,
    rnn: nn::RNNBase<K>,
    head: nn::Linear,
}

/// Trains as the script does: the losses of 20 steps.
fn train<K: nn::RecurrentKind>(
    rnn: impl Fn() -> nn::RNNBase<K>,
    step_from: impl Fn(&nn::RNNBase<K>, &Tensor, Option<K::State>) -> (Tensor, K::State),
) -> Vec<f64> {
    let letters: Vec<char> = TEXT.chars().collect::<std::collections::BTreeSet<_>>().into_iter().collect();
    manual_seed(0);
    let model = CharRnn {
        embedding: nn::Embedding::new(letters.len(), 12),
        rnn: rnn(),
        head: nn::Linear::new(16, letters.len()),
    };
    let parameters =
        || [model.embedding.parameters(), model.rnn.parameters(), model.head.parameters()].into_iter().flatten();
    let optimizer = torch::optim::Adam::new(parameters().collect::<Vec<_>>(), 1e-2);
    let criterion = nn::CrossEntropyLoss::new();
    let code = |c: char| letters.iter().position(|&l| l == c).expect("a letter") as i64;
    let codes: Vec<i64> = TEXT.chars().map(code).collect();
    let parts = from_vec(codes[..84].to_vec(), [4, 21]);
    let (mut state, mut losses) = (None, Vec::new());
    for step in 0..20 {
        let start = step % 2 * 10;
        let [x, y] = [0, 1].map(|shift| parts.narrow(1, start + shift, 10));
        let (out, last) = step_from(&model.rnn, &model.embedding.call(&x), state.take());
        state = Some(last);
        let logits = model.head.call(out);
        let loss = criterion.call(logits.reshape((-1, letters.len())), y.reshape(-1));
        optimizer.zero_grad();
        loss.backward();
        clip_grad_norm_(parameters().collect::<Vec<_>>(), 1.0);
        optimizer.step();
        losses.push(loss.item());
    }
    losses
}

#[test]
fn training_follows_pytorch() {
    let _generator = alone();
    let expected = include_str!("../../goldens/data/char_rnn.txt");
    let expected: BTreeMap<&str, Vec<f64>> = expected
        .lines()
        .filter_map(|line| line.split_once(' '))
        .map(|(name, losses)| (name, losses.split(' ').map(|l| l.parse().expect("a loss")).collect()))
        .collect();
    let one = |h: Tensor| h.detach();
    let ours = [
        (
            "LSTM",
            train(
                || nn::LSTM::with(12, 16, |o| o.num_layers(2).batch_first(true).dropout(0.25)),
                |m, x, state| {
                    let (y, (h, c)) = m.call((x, &state));
                    (y, (h.detach(), c.detach()))
                },
            ),
        ),
        (
            "GRU",
            train(
                || nn::GRU::with(12, 16, |o| o.num_layers(2).batch_first(true).dropout(0.25)),
                |m, x, state| {
                    let (y, h) = m.call((x, &state));
                    (y, one(h))
                },
            ),
        ),
        (
            "RNN",
            train(
                || nn::RNN::with(12, 16, |o| o.num_layers(2).batch_first(true).dropout(0.25)),
                |m, x, state| {
                    let (y, h) = m.call((x, &state));
                    (y, one(h))
                },
            ),
        ),
    ];
    for (name, losses) in ours {
        for (step, (ours, theirs)) in losses.iter().zip(&expected[name]).enumerate() {
            assert!((ours - theirs).abs() < 2e-5, "{name}, step {step}: {ours}, PyTorch {theirs}");
        }
        assert_eq!(losses.len(), expected[name].len());
    }
}

/// Every golden in float64 once more, with a graph of its gradient.
#[test]
fn goldens_agree_where_the_gradient_is_recorded_too() {
    let mut passed = 0;
    for (i, case) in load_module_file("random_rnn").expect("goldens").iter().enumerate() {
        let Some(run) = case.eval.as_ref().filter(|run| run.error.is_none() && !run.param_grads.is_empty()) else {
            continue;
        };
        if case.dtype != flambeau_tensor::DType::F64 {
            continue;
        }
        let (built, _) = rnn::build(case).expect("a recurrent layer");
        random::load(&built, case);
        built.module.eval();
        catch(|| check::recorded(case, &built, run)).unwrap_or_else(|e| panic!("{} {i}: {e}", case.module));
        passed += 1;
    }
    assert!(passed > 100, "{passed}");
    println!("count: {passed} goldens of recurrent layers agree with a graph of the gradient");
}

#[test]
fn calls_take_what_python_takes() {
    let (lstm, gru) = (nn::LSTM::new(3, 4), nn::GRU::new(3, 4));
    let x = torch::ones((5, 2, 3));
    let (h, c) = (torch::zeros((1, 2, 4)), torch::zeros((1, 2, 4)));
    let (a, _) = lstm.call(&x);
    let (b, _) = lstm.call((&x, (&h, &c)));
    let (d, _) = lstm.call((&x, None));
    let state = Some((h.shallow_clone(), c));
    let (e, (hn, _)) = lstm.call((&x, &state));
    let (f, _) = lstm.call((&x, state.as_ref()));
    let (g, _) = Call::call(&lstm, &x);
    assert!([b, d, e, f, g].iter().all(|y: &Tensor| torch::equal(y, &a)));
    assert_eq!(hn.size(), [1, 2, 4]);
    let (a, _) = gru.call(&x);
    let (b, _) = gru.call((&x, &h));
    let (c, _) = gru.call((&x, None));
    let (d, _) = gru.call((&x, Some(&h)));
    assert!([b, c, d].iter().all(|y: &Tensor| torch::equal(y, &a)));
    let packed = pack_sequence_with([torch::ones((2, 3)), torch::ones((5, 3))], |o| o.enforce_sorted(false));
    let (out, hn): (PackedSequence, Tensor) = gru.call((&packed, &h));
    assert_eq!((out.data.size().to_vec(), hn.size().to_vec()), (vec![7, 4], vec![1, 2, 4]));
    assert_eq!(out.batch_sizes.to_vec::<i64>(), [2, 2, 1, 1, 1]);
    let module: &dyn nn::Forward<(Tensor, Tensor), (Tensor, Tensor)> = &gru;
    let (b, _) = module.call((&x, &h));
    assert!(torch::equal(&b, &a));
}

#[test]
fn a_recurrent_layer_is_a_module() {
    let _generator = alone();
    let lstm = nn::LSTM::with(3, 4, |o| o.num_layers(2).bidirectional(true).proj_size(2).bias(false));
    let names: Vec<String> = lstm.named_parameters().into_iter().map(|(name, _)| name).collect();
    assert_eq!(names[3..6], ["weight_ih_l0_reverse", "weight_hh_l0_reverse", "weight_hr_l0_reverse"]);
    assert_eq!(lstm.get_parameter("weight_ih_l1").size(), [16, 4]);
    assert_eq!((lstm.all_weights().len(), lstm.all_weights()[0].len()), (4, 3));
    let copy = nn::deepcopy(&lstm);
    lstm.flatten_parameters();
    let before = copy.all_weights()[0][0].tensor().detach().clone();
    manual_seed(3);
    lstm.reset_parameters();
    assert!(torch::equal(copy.all_weights()[0][0], &before) && !torch::equal(lstm.all_weights()[0][0], &before));
    let lstm = lstm.double();
    let hidden = std::sync::Arc::new(std::sync::Mutex::new(0));
    let seen = hidden.clone();
    lstm.register_forward_hook::<Tensor, (Tensor, (Tensor, Tensor))>(move |_, _, (y, _)| {
        *seen.lock().unwrap() = y.size()[2];
        None
    });
    let (y, _) = lstm.call(torch::ones((5, 3)).double().unsqueeze(1));
    assert_eq!((*hidden.lock().unwrap(), y.dtype()), (4, torch::float64));
    assert_eq!(lstm.to_string(), "LSTM(3, 4, proj_size=2, num_layers=2, bias=False, bidirectional=True)");
    // The warning of dropout that drops nothing.
    let words = "dropout option adds dropout after all but last recurrent layer, so non-zero dropout expects num_layers greater than \
                 1, but got dropout=0.5 and num_layers=1";
    let before = flambeau_autograd::warned(words);
    drop(nn::GRU::with(1, 1, |o| o.dropout(0.5)));
    assert_eq!(flambeau_autograd::warned(words), before + 1);
}

/// What is kept for backward is what it reads: writing to the output or to what was not saved does no harm, as in PyTorch.
#[test]
fn the_output_may_be_written_to() {
    let gru = nn::GRU::with(3, 4, |o| o.num_layers(2));
    let x = torch::ones((5, 2, 3));
    let gradient = |write: bool| {
        gru.zero_grad();
        let (y, hn) = gru.call(&x);
        let loss = (&y * &y).sum() + hn.sum();
        if write {
            let _guard = torch::no_grad();
            hn.fill_(7.0);
        }
        loss.backward();
        gru.get_parameter("weight_hh_l0").grad().expect("it learns")
    };
    assert!(torch::equal(gradient(false), gradient(true)));
    let (y, _) = gru.call(&x);
    y.mul(1.0).sum().backward();
    let weight = gru.get_parameter("weight_hh_l0");
    let (y, _) = gru.call(&x);
    {
        let _guard = torch::no_grad();
        weight.mul_(2.0);
    }
    let message = catch(|| y.sum().backward()).unwrap_err();
    assert!(message.contains("modified by an inplace operation"), "{message}");
}

#[test]
fn a_packed_batch_computes_as_its_sequences_alone() {
    let lstm = nn::LSTM::with(3, 4, |o| o.bidirectional(true).num_layers(2)).double();
    let lengths = [2, 5, 3, 5];
    let batch = numbers(&[5, 4, 3], 1).detach();
    let packed = pack_padded_sequence_with(&batch, lengths, |o| o.enforce_sorted(false));
    let (out, (hn, cn)) = lstm.call(&packed);
    let parts = nn::utils::rnn::unpack_sequence(&out);
    for (i, n) in lengths.into_iter().enumerate() {
        let (y, (h, c)) = lstm.call(batch.select(1, i).narrow(0, 0, n));
        assert!(parts[i].allclose(&y) && hn.select(1, i).allclose(&h) && cn.select(1, i).allclose(&c), "sequence {i}");
    }
}
