//! How modules are called: each shape of a call that a port of a PyTorch script comes to write compiles, and computes what it
//! should.

use flambeau_autograd::{AsTensor, Tensor, ones, tensor, zeros};
use flambeau_nn::{self as nn, Arg, Call, Forward, Input, Module, Output, Parameter, Sequential};
use std::sync::Arc;

#[derive(Module)]
struct Net {
    fc1: nn::Linear,
    relu: nn::ReLU,
    fc2: nn::Linear,
    norm: Option<nn::BatchNorm1d>,
}

impl Net {
    fn new() -> Self {
        let net = Net { fc1: nn::Linear::new(2, 3), relu: nn::ReLU::new(), fc2: nn::Linear::new(3, 2), norm: None };
        for p in net.parameters() {
            p.data().fill_(0.5);
        }
        net
    }
}

impl Forward for Net {
    fn forward(&self, x: &Tensor) -> Tensor {
        let mut x = self.fc2.call(self.relu.call(self.fc1.call(x)));
        if let Some(norm) = &self.norm {
            x = norm.call(x);
        }
        x
    }
}

/// h(x) of [`Net`], whose weights and biases are all 0.5: 3 · 0.5 · (0.5 a + 0.5 b + 0.5) + 0.5.
fn expected(a: f64, b: f64) -> f64 {
    1.5 * (0.5 * a + 0.5 * b + 0.5) + 0.5
}

#[derive(Module)]
struct Cell;

impl Forward<(Tensor, Tensor), (Tensor, Tensor)> for Cell {
    fn forward(&self, (x, h): (&Tensor, &Tensor)) -> (Tensor, Tensor) {
        (x + h, x - h)
    }
}

#[derive(Module)]
struct Masked;

impl Forward<(Tensor, Option<Tensor>, bool)> for Masked {
    fn forward(&self, (x, mask, negate): (&Tensor, Option<&Tensor>, bool)) -> Tensor {
        let y = mask.map_or_else(|| x * 1.0, |m| x * m);
        if negate { -y } else { y }
    }
}

#[derive(Module)]
struct Two;

impl Forward for Two {
    fn forward(&self, x: &Tensor) -> Tensor {
        x * 2.0
    }
}

impl Forward<(Tensor, Tensor)> for Two {
    fn forward(&self, (x, y): (&Tensor, &Tensor)) -> Tensor {
        x * y
    }
}

fn train<M: Forward>(module: &M, x: &Tensor) -> Tensor {
    module.call(module.call(x))
}

fn run_cell(cell: &impl Forward<(Tensor, Tensor), (Tensor, Tensor)>, x: &Tensor) -> Tensor {
    let (a, b) = cell.call((x, x * 2.0));
    cell.call((&a, b)).0
}

fn any_size<M: Forward + ?Sized>(module: &M, x: &Tensor) -> Tensor {
    module.call(x)
}

fn dynamic(module: &dyn Forward, x: &Tensor) -> Tensor {
    module.call(module.call(x))
}

fn values(x: &Tensor) -> Vec<f64> {
    x.double().to_vec::<f64>()
}

#[test]
fn the_twelve_shapes_of_a_call() {
    let (net, x) = (Net::new(), tensor([[1.0, 2.0]]));
    let y = vec![expected(1.0, 2.0); 2];
    // 1 and 2: results are passed on, a borrowed tensor is not used up.
    assert_eq!(values(&net.call(&x)), y);
    assert_eq!(values(&net.call(x.neg().neg())), y);
    // 3: a reference to a reference, as closures over iterators have.
    assert_eq!(values(&[&x].iter().map(|x| net.call(x)).collect::<Vec<_>>()[0]), y);
    // 4: a parameter.
    let p = Parameter::new(&x);
    assert_eq!(values(&net.call(&p)), y);
    assert_eq!(values(&net.call(p)), y);
    // 5 and 6: several inputs, mixed, or as a pair that exists.
    let (a, b) = Cell.call((ones([1]), &ones([1])));
    assert_eq!((a.item(), b.item()), (2.0, 0.0));
    let pair = (a, b);
    let (c, d) = Cell.call(&pair);
    assert_eq!((c.item(), d.item()), (2.0, 2.0));
    // 7: options and plain values.
    let m = tensor([0.0, 1.0]);
    assert_eq!(values(&Masked.call((ones([2]), None, true))), [-1.0, -1.0]);
    assert_eq!(values(&Masked.call((ones([2]), Some(&m), false))), [0.0, 1.0]);
    let (owned, parameter) = (Some(zeros([2])), Some(Parameter::new(&m)));
    assert_eq!(values(&Masked.call((ones([2]), &owned, false))), [0.0, 0.0]);
    assert_eq!(values(&Masked.call((ones([2]), owned.as_ref(), false))), [0.0, 0.0]);
    assert_eq!(values(&Masked.call((ones([2]), &parameter, true))), [0.0, -1.0]);
    // 8: generic functions.
    let twice = vec![expected(y[0], y[0]); 2];
    assert_eq!(values(&train(&net, &x)), twice);
    assert_eq!(values(&run_cell(&Cell, &x)), [2.0, 4.0]);
    assert_eq!(values(&any_size(&net, &x)), y);
    // 9: a trait object.
    assert_eq!(values(&dynamic(&net, &x)), twice);
    // 10: boxes and shared pointers, of sized modules too.
    let boxed: Box<dyn Forward> = Box::new(Net::new());
    assert_eq!(values(&boxed.call(&x)), y);
    assert_eq!(values(&train(&boxed, &x)), twice);
    assert_eq!(values(&dynamic(&*boxed, &x)), twice);
    assert_eq!(values(&any_size(&*boxed, &x)), y);
    let shared: Arc<dyn Forward> = Arc::from(boxed);
    assert_eq!(values(&shared.call(&x)), y);
    let sized = Arc::new(Net::new());
    assert_eq!(values(&sized.call(&x)), y);
    let cell: Box<dyn Forward<(Tensor, Tensor), (Tensor, Tensor)>> = Box::new(Cell);
    assert_eq!(cell.call((&x, &x)).1.sum().item(), 0.0);
    // 11: a Sequential of boxes, and its parts.
    let seq =
        Sequential::new(vec![Box::new(nn::Identity::new()) as Box<dyn Forward>, Box::new(shared), Box::new(sized)]);
    assert_eq!(values(&seq.call(&x)), twice);
    assert_eq!(values(&seq.iter().fold(x.neg().neg(), |x, layer| layer.call(x))), twice);
    assert_eq!(values(&seq[1].call(&x)), y);
    // 12: a type of two signatures.
    assert_eq!(values(&Two.call(&x)), [2.0, 4.0]);
    assert_eq!(values(&Two.call((&x, &x))), [1.0, 4.0]);
}

#[nn::forward]
impl Attention {
    /// The scores, and the values that they weigh.
    fn forward(&self, q: &Tensor, k: &Tensor, mask: Option<&Tensor>, causal: bool) -> (Tensor, Tensor) {
        let scores = self.proj.call(q).matmul(k.t());
        let scores = mask.map_or_else(|| &scores * 1.0, |m| &scores + m);
        (if causal { scores.tril_diagonal(0) } else { scores * 1.0 }, k * 1.0)
    }
}

#[derive(Module)]
struct Attention {
    proj: nn::Linear,
}

#[derive(Module)]
struct Recurrent {
    w: Parameter,
}

#[nn::forward]
impl Recurrent {
    fn forward(&self, xs: &[Tensor], state: Option<(&Tensor, &Tensor)>) -> (Tensor, (Tensor, Tensor)) {
        let (mut h, mut c) = state.map_or_else(|| (zeros([1]), zeros([1])), |(h, c)| (h * 1.0, c * 1.0));
        for x in xs {
            h = x * &*self.w + h;
            c += 1.0;
        }
        (&h * 1.0, (h, c))
    }
}

/// The state of a recurrent layer, lent as a pair.
#[derive(Module)]
struct Reader {
    lstm: nn::LSTM,
}

#[nn::forward]
impl Reader {
    fn forward(&self, x: &Tensor, state: &(Tensor, Tensor)) -> (Tensor, (Tensor, Tensor)) {
        assert_eq!(state.0.size(), state.1.size());
        self.lstm.call((x, state))
    }
}

#[test]
fn a_lent_pair_is_a_pair() {
    let reader = Reader { lstm: nn::LSTM::new(2, 3) };
    let state = (zeros([1, 3]), zeros([1, 3]));
    let (y, after) = reader.call(ones([4, 2]), &state);
    assert_eq!((y.size().to_vec(), after.0.size().to_vec()), (vec![4, 3], vec![1, 3]));
    let (again, _) = reader.call(ones([4, 2]), after);
    assert!(!y.equal(&again));
}

#[test]
fn a_forward_of_several_arguments_is_called_with_them() {
    let attention = Attention { proj: nn::Linear::with(2, 2, |o| o.bias(false)) };
    attention.proj.weight.data().copy_(tensor([[1.0, 0.0], [0.0, 1.0]]));
    let (x, mask) = (tensor([[1.0, 2.0], [3.0, 4.0]]), tensor([[10.0, 10.0], [10.0, 10.0]]));
    assert_eq!(values(&attention.call(&x, x.neg().neg(), None, false).0), [5.0, 11.0, 11.0, 25.0]);
    assert_eq!(values(&attention.call(&x, &x, &mask, true).0), [15.0, 0.0, 21.0, 35.0]);
    let (option, shared) = (Some(Parameter::new(&mask)), Some(&mask));
    assert_eq!(values(&attention.call(&x, &x, &option, true).0), [15.0, 0.0, 21.0, 35.0]);
    assert_eq!(values(&attention.call(&x, &x, shared, true).0), [15.0, 0.0, 21.0, 35.0]);
    // As the trait's method it takes the tuple.
    fn generic(m: &impl Forward<(Tensor, Tensor, Option<Tensor>, bool), (Tensor, Tensor)>, x: &Tensor) -> Tensor {
        m.call((x, x, None, false)).0
    }
    assert_eq!(values(&generic(&attention, &x)), [5.0, 11.0, 11.0, 25.0]);
    let lstm = Recurrent { w: Parameter::new(ones([1])) };
    let xs = vec![ones([1]), ones([1])];
    let (_, state) = lstm.call(&xs, None);
    let (y, (h, c)) = lstm.call(&xs[..1], &state);
    assert_eq!((y.item(), h.item(), c.item()), (3.0, 3.0, 3.0));
    assert_eq!(lstm.call(xs, (&h, &c)).0.item(), 5.0);
}

/// A batch of the user's own type.
struct Batch {
    x: Tensor,
    scale: f64,
}

impl Output for Batch {}

impl Input for Batch {
    type Ref<'a> = &'a Batch;
    fn borrow(&self) -> &Batch {
        self
    }
    fn keep(batch: &Batch) -> Batch {
        Batch { x: Tensor::from(&batch.x), scale: batch.scale }
    }
}

impl Arg<Batch> for &Batch {
    fn arg(&self) -> &Batch {
        self
    }
}

struct Prediction {
    mean: Tensor,
}

impl Output for Prediction {}

#[derive(Module)]
struct OnBatch {
    state: nn::ModuleState,
}

impl Forward<Batch, Prediction> for OnBatch {
    fn forward(&self, batch: &Batch) -> Prediction {
        Prediction { mean: batch.x.mean() * batch.scale }
    }
}

#[test]
fn inputs_and_outputs_may_be_the_users_own() {
    let module = OnBatch { state: nn::ModuleState::new() };
    let batch = Batch { x: ones([3]), scale: 2.0 };
    assert_eq!(module.call(&batch).mean.item(), 2.0);
    module.register_forward_pre_hook(|_, batch| Some(Batch { x: &batch.x * 3.0, scale: batch.scale }));
    module.register_forward_hook(|_, batch, out| {
        assert_eq!(batch.x.sum().item(), 9.0);
        Some(Prediction { mean: &out.mean + 1.0 })
    });
    assert_eq!(module.call(&batch).mean.item(), 7.0);
}

/// Without the prelude: the layers' own `call`.
mod without_imports {
    use flambeau_autograd::{Tensor, ones, tensor};
    use flambeau_nn as nn;

    #[test]
    fn layers_and_losses_are_called_without_an_import() {
        let (x, relu) = (ones([2, 3]), nn::ReLU::new());
        let y: Tensor = nn::Linear::new(3, 4).call(relu.call(relu.call(&x)));
        let labels = tensor([0i64, 1]);
        let criterion = nn::CrossEntropyLoss::new();
        let loss = criterion.call(&y, &labels);
        assert_eq!(loss.item(), criterion.call(y, labels).item());
        assert_eq!(nn::Bilinear::new(3, 3, 2).call(&x, x.neg()).size(), [2, 2]);
        let net = nn::sequential![nn::Linear::new(3, 3), nn::BatchNorm1d::new(3), nn::Dropout::new(0.5)];
        assert_eq!(net.call(net.call(x)).size(), [2, 3]);
        let layers = [nn::Embedding::new(2, 2).call(tensor([1i64])), nn::PReLU::new().call(ones([1]))];
        assert_eq!(layers.map(|t| t.numel()), [2, 1]);
    }
}

#[test]
fn losses_are_modules_of_two_inputs() {
    fn loss_of<L: Forward<(Tensor, Tensor)>>(loss: &L, a: &Tensor, b: &Tensor) -> f64 {
        loss.call((a, b)).item()
    }
    let (a, b) = (tensor([1.0, 2.0]), tensor([1.0, 4.0]));
    assert_eq!(loss_of(&nn::MSELoss::new(), &a, &b), 2.0);
    let losses: Vec<Box<dyn Forward<(Tensor, Tensor)>>> =
        vec![Box::new(nn::MSELoss::new()), Box::new(nn::L1Loss::new())];
    assert_eq!(losses.iter().map(|l| l.call((&a, &b)).item()).collect::<Vec<_>>(), [2.0, 1.0]);
    let criterion = nn::L1Loss::new();
    criterion.register_forward_hook(|_, (x, _), y| Some(x.sum() + y));
    assert_eq!(criterion.call(&a, &b).item(), 4.0);
}

#[test]
fn a_call_copies_nothing() {
    let x = ones([2]);
    let y = nn::Identity::new().call(&x);
    assert!(y.is_same(&x) && x.as_tensor().is_same(&x));
}
