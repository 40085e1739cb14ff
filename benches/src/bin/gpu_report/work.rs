//! The table's rows: what is measured, and how much it computes. `peers/pytorch_gpu.py` does the same by the same names.

use crate::DEVICE;
use flambeau_benches::{CnnStep, MlpStep};
use std::hint::black_box;
use torch::Tensor;
use torch::nn::functional as F;

/// One call of a work.
pub type Call = Box<dyn FnMut()>;

/// What a row's rate counts.
#[derive(Clone, Copy, PartialEq)]
pub enum Unit {
    /// Floating-point operations.
    Flops,
    /// Bytes read and written.
    Bytes,
    /// Calls; only the time is shown.
    Calls,
}

/// A row's work.
pub struct Work {
    pub section: &'static str,
    pub name: String,
    /// Which function of [`Work::prepare`], here and in PyTorch.
    pub op: &'static str,
    pub args: Vec<usize>,
    pub unit: Unit,
    /// Operations or bytes of a call.
    pub amount: f64,
    /// Whether many calls may wait for the GPU together.
    pub together: bool,
    /// Whether the report lists its launches.
    pub listed: bool,
}

impl Work {
    fn new(section: &'static str, op: &'static str, args: &[usize], unit: Unit, amount: f64) -> Self {
        Work { section, name: op.to_owned(), op, args: args.to_vec(), unit, amount, together: true, listed: false }
    }

    fn named(self, name: impl Into<String>) -> Self {
        Work { name: name.into(), ..self }
    }
}

/// Layers of real networks (ResNet-50; MobileNet for the last): name, channels, side, filters, kernel, stride, padding,
/// groups.
const LAYERS: [(&str, [usize; 7]); 5] = [
    ("7x7/2, 3x224x224 to 64", [3, 224, 64, 7, 2, 3, 1]),
    ("3x3, 64x56x56 to 64", [64, 56, 64, 3, 1, 1, 1]),
    ("3x3, 256x14x14 to 256", [256, 14, 256, 3, 1, 1, 1]),
    ("1x1, 512x28x28 to 128", [512, 28, 128, 1, 1, 0, 1]),
    ("depthwise 3x3, 128x56x56", [128, 56, 128, 3, 1, 1, 128]),
];

/// All rows. A software adapter gets one image where a GPU gets 32, and smaller arrays.
pub fn all(software: bool) -> Vec<Work> {
    let mut all = Vec::new();
    for n in [256, 512, 1024, 2048, 4096, 8192] {
        let work = Work::new("matmul, f32", "matmul", &[n], Unit::Flops, 2.0 * (n as f64).powi(3));
        all.push(work.named(format!("matmul {n}")));
    }
    let batch = if software { 1 } else { 32 };
    for (layer, [channels, side, filters, kernel, stride, padding, groups]) in LAYERS {
        let positions = ((side + 2 * padding - kernel) / stride + 1).pow(2);
        let flops = (2 * batch * filters * positions * channels / groups * kernel * kernel) as f64;
        for op in ["conv2d", "conv2d input gradient", "conv2d weight gradient"] {
            let args = [batch, channels, side, filters, kernel, stride, padding, groups];
            let work = Work::new("conv2d, f32", op, &args, Unit::Flops, flops);
            all.push(work.named(format!("{op}: {layer}, batch {batch}")));
        }
    }
    // A software adapter binds 128 MiB.
    let mebi = if software { 32 } else { 64 };
    for (op, bytes) in [("copy", 8), ("relu", 8), ("add", 12), ("sum", 4)] {
        let n = mebi << 20;
        let work = Work::new("memory, f32", op, &[n], Unit::Bytes, (n * bytes) as f64);
        all.push(work.named(format!("{op} of {mebi} Mi")));
    }
    let (rows, columns) = if software { (1024, 1024) } else { (16384, 1024) };
    for (op, bytes) in [
        ("softmax", 8),
        ("softmax gradient", 12),
        ("layer_norm", 8),
        ("layer_norm gradients", 12),
        ("sum of rows", 4),
        ("sum of columns", 4),
    ] {
        let bytes = (rows * columns * bytes) as f64;
        let work = Work::new("lines, f32", op, &[rows, columns], Unit::Bytes, bytes);
        all.push(work.named(format!("{op} of {rows}x{columns}")));
    }
    let timed = |section, op, args: &[usize]| Work::new(section, op, args, Unit::Calls, 1.0);
    for (op, name) in [
        ("SimpleNN step", "SimpleNN step, batch 64"),
        ("SimpleNN step, loss read", "SimpleNN step, batch 64, loss read"),
    ] {
        let read = op != "SimpleNN step";
        all.push(Work { listed: !read, ..timed("training steps", op, &[64]).named(name) });
    }
    for batch in [1, 64] {
        let work = timed("training steps", "CNN step", &[batch]).named(format!("CNN step, batch {batch}"));
        all.push(Work { listed: batch == 64, ..work });
    }
    let launches = timed("overhead", "dispatches", &[1000]).named("1000 dependent dispatches");
    all.push(Work { together: false, ..launches });
    all.push(timed("overhead", "readback", &[]).named("readback of 4 bytes"));
    all
}

impl Work {
    /// The tensors of a work on the device, and one call of it.
    pub fn prepare(&self) -> Call {
        torch::manual_seed(0);
        // Numbers are drawn on the device: large arrays need not travel.
        let origin = torch::zeros(1).to(DEVICE);
        let random =
            |shape: &[usize]| origin.new_empty(shape.iter().map(|&n| n as i64).collect::<Vec<_>>()).randn_like();
        let run = |f: Box<dyn Fn() -> Tensor>| -> Call { Box::new(move || drop(black_box(f()))) };
        let args = &self.args[..];
        match (self.op, args) {
            ("matmul", &[n]) => {
                let (a, b) = (random(&[n, n]), random(&[n, n]));
                run(Box::new(move || a.matmul(&b)))
            }
            (op, &[batch, channels, side, filters, kernel, stride, padding, groups]) => {
                let x = random(&[batch, channels, side, side]);
                let w = random(&[filters, channels / groups, kernel, kernel]);
                let conv = move |x: &Tensor, w: &Tensor| {
                    F::conv2d_with(x, w, None, |o| o.stride(stride).padding(padding).groups(groups as i64))
                };
                match op {
                    "conv2d" => run(Box::new(move || conv(&x, &w))),
                    "conv2d input gradient" => gradients(conv(&x.requires_grad_(true), &w), vec![x]),
                    _ => gradients(conv(&x, &w.requires_grad_(true)), vec![w]),
                }
            }
            ("copy", &[n]) => {
                let x = random(&[n]);
                run(Box::new(move || x.clone()))
            }
            ("relu", &[n]) => {
                let x = random(&[n]);
                run(Box::new(move || x.relu()))
            }
            ("add", &[n]) => {
                let (x, y) = (random(&[n]), random(&[n]));
                run(Box::new(move || &x + &y))
            }
            ("sum", &[n]) => {
                let x = random(&[n]);
                run(Box::new(move || x.sum()))
            }
            ("softmax", shape) => {
                let x = random(shape);
                run(Box::new(move || x.softmax(-1)))
            }
            ("softmax gradient", shape) => {
                let x = random(shape).requires_grad_(true);
                gradients(x.softmax(-1), vec![x])
            }
            ("layer_norm", shape) => {
                let (x, w, b, n) = (random(shape), random(&shape[1..]), random(&shape[1..]), shape[1]);
                run(Box::new(move || {
                    F::layer_norm_with(&x, [n], |o| o.weight(w.shallow_clone()).bias(b.shallow_clone()))
                }))
            }
            ("layer_norm gradients", shape) => {
                let [x, w, b] = [shape, &shape[1..], &shape[1..]].map(|s| random(s).requires_grad_(true));
                let y = F::layer_norm_with(&x, [shape[1]], |o| o.weight(w.shallow_clone()).bias(b.shallow_clone()));
                gradients(y, vec![x, w, b])
            }
            ("sum of rows", shape) => {
                let x = random(shape);
                run(Box::new(move || x.sum_dim(1, false)))
            }
            ("sum of columns", shape) => {
                let x = random(shape);
                run(Box::new(move || x.sum_dim(0, false)))
            }
            ("SimpleNN step", &[batch]) => {
                let step = MlpStep::new(DEVICE, batch);
                run(Box::new(move || step.run()))
            }
            ("SimpleNN step, loss read", &[batch]) => {
                let step = MlpStep::new(DEVICE, batch);
                Box::new(move || {
                    black_box(step.run().item());
                })
            }
            ("CNN step", &[batch]) => {
                let step = CnnStep::new(DEVICE, batch);
                run(Box::new(move || step.run()))
            }
            ("dispatches", &[n]) => {
                let x = random(&[64]);
                Box::new(move || (0..n).for_each(|_| drop(black_box(x.add_(1.0)))))
            }
            ("readback", &[]) => {
                let x = random(&[1]);
                Box::new(move || {
                    black_box(x.item());
                })
            }
            (op, args) => unreachable!("no work {op} {args:?}"),
        }
    }
}

/// One call computes the gradients of a result, whose graph is kept, for some of its inputs.
fn gradients(result: Tensor, inputs: Vec<Tensor>) -> Call {
    let grad = result.randn_like();
    Box::new(move || {
        let inputs: Vec<&Tensor> = inputs.iter().collect();
        let options = |o: torch::options::GradOptions| o.grad_outputs([&grad]).retain_graph(true);
        drop(black_box(torch::autograd::grad_with(&result, &inputs, options)));
    })
}
