//! What hooks and checkpoints promise: bytes counted, gradients bit for bit, graphs that go.

use crate::{backward, leaf, outcome, x3};
use flambeau_autograd::ops;
use flambeau_autograd::{Result, Tensor, checkpoint, checkpoint_sequential, randn, saved_tensors_hooks};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

/// A deep network of linear layers and tanhs, some with dropout.
struct Mlp {
    weights: Vec<Tensor>,
    dropout: bool,
}

impl Mlp {
    fn new(layers: usize, width: usize, dropout: bool) -> Arc<Self> {
        flambeau_device::manual_seed(1);
        let weight = |_| (randn([width, width]) * 0.2).detach().requires_grad_(true);
        Arc::new(Mlp { weights: (0..layers).map(weight).collect(), dropout })
    }

    fn run(&self, from: usize, to: usize, x: Tensor) -> Tensor {
        self.weights[from..to].iter().fold(x, |x, w| {
            let y = x.matmul(w).tanh();
            if self.dropout { ops::dropout(&y, 0.25, true).unwrap() } else { y }
        })
    }

    /// The loss, with the layers in segments of so many, each a checkpoint; 0: none.
    fn loss(self: &Arc<Self>, x: &Tensor, segment: usize) -> Tensor {
        let n = self.weights.len();
        let mut x = x.shallow_clone();
        for start in (0..n).step_by(segment.max(1)) {
            let end = (start + segment.max(1)).min(n);
            let net = self.clone();
            x = match segment {
                0 => self.run(start, end, x),
                _ => checkpoint(move |x| net.run(start, end, x), &x),
            };
        }
        x.square().mean()
    }

    fn gradients(&self) -> Vec<Vec<u32>> {
        let bits = |w: &Tensor| w.grad().unwrap().to_vec::<f32>().iter().map(|g| g.to_bits()).collect();
        let all = self.weights.iter().map(bits).collect();
        self.weights.iter().for_each(|w| w.set_grad(None));
        all
    }
}

/// Counts the bytes that the graph keeps: each piece of memory once, while it is packed, without the weights.
fn kept_bytes(work: impl FnOnce() -> Tensor, weights: &[Tensor]) -> usize {
    let known: Arc<Mutex<Vec<usize>>> = Arc::new(Mutex::new(weights.iter().map(Tensor::data_ptr).collect()));
    let bytes = Arc::new(AtomicUsize::new(0));
    let (seen, total) = (known, bytes.clone());
    let pack = move |t: &Tensor| {
        let mut seen = seen.lock().unwrap();
        if !seen.contains(&t.data_ptr()) {
            seen.push(t.data_ptr());
            total.fetch_add(t.numel() * t.dtype().size(), Ordering::Relaxed);
        }
        t.detach()
    };
    let loss = {
        let _hooks = saved_tensors_hooks(pack, Tensor::shallow_clone);
        work()
    };
    let kept = bytes.load(Ordering::Relaxed);
    backward(&loss).unwrap();
    kept
}

#[test]
fn a_checkpointed_network_keeps_less_than_half_and_has_the_same_gradients() {
    let _turn = crate::turn();
    for dropout in [false, true] {
        let net = Mlp::new(16, 32, dropout);
        let x = randn([64, 32]).requires_grad_(true);
        let run = |segment: usize| {
            flambeau_device::manual_seed(7);
            let kept = kept_bytes(|| net.loss(&x, segment), &net.weights);
            let own = x.grad().unwrap().to_vec::<f32>();
            x.set_grad(None);
            (kept, net.gradients(), own)
        };
        let (plain, gradients, own) = run(0);
        for segment in [1, 4, 5] {
            let (kept, same, same_own) = run(segment);
            assert!(same == gradients && same_own == own, "segments of {segment}, dropout: {dropout}");
            if segment == 4 {
                assert!(2 * kept <= plain, "{kept} of {plain} bytes");
            }
        }
    }
}

#[test]
fn gradients_through_hooks_are_the_same_bit_for_bit() {
    let _turn = crate::turn();
    let net = Mlp::new(6, 16, false);
    let x = randn([8, 16]);
    backward(&net.loss(&x, 0)).unwrap();
    let plain = net.gradients();
    {
        let _hooks = saved_tensors_hooks(
            |t| (t.size(), t.to_vec::<f32>()),
            |(size, values)| flambeau_autograd::from_vec(values.clone(), size.to_vec()),
        );
        backward(&net.loss(&x, 3)).unwrap();
    }
    assert_eq!(net.gradients(), plain);
}

/// What a region computed is freed when it is used, and all of it when the graph goes.
#[test]
fn a_checkpointed_graph_frees_what_it_holds() {
    let _turn = crate::turn();
    let held = Arc::new(());
    let run = |backwards: bool| {
        let inside = held.clone();
        let x = x3();
        let y = checkpoint(
            move |x| {
                let _ = &inside;
                x.sin().exp() * x
            },
            &x,
        );
        if backwards {
            backward(&y.sum()).unwrap();
            // The graph of `y` is still there, but it holds nothing.
            assert_eq!(Arc::strong_count(&held), 1);
        } else {
            assert_eq!(Arc::strong_count(&held), 2);
        }
        drop(y);
        assert_eq!(Arc::strong_count(&held), 1);
    };
    run(true);
    run(false);
}

#[test]
fn a_long_chain_of_checkpoints_goes_back_and_drops_on_a_small_stack() {
    let _turn = crate::turn();
    let work = || {
        let build = || {
            let x = leaf(&[1.0]);
            let y = (0..20_000).fold(x.shallow_clone(), |y, _| checkpoint(|y| y.sin(), &y));
            (x, y)
        };
        drop(build());
        // A region that hides its input from the graph around it keeps the former regions by its saved input alone.
        let w = leaf(&[1.0]);
        let hidden = |y: Tensor, _| {
            let w = w.shallow_clone();
            checkpoint(move |y: Tensor| &w * y.detach(), &y)
        };
        drop((0..20_000).fold(&w * 1, hidden));
        let (x, y) = build();
        backward(&y).unwrap();
        assert!(x.grad().is_some());
    };
    std::thread::Builder::new().stack_size(1 << 20).spawn(work).unwrap().join().unwrap();
}

/// A panic in the user's function passes, and leaves no hooks behind.
#[test]
fn a_panic_in_a_region_leaves_no_hooks_behind() {
    let _turn = crate::turn();
    let first = outcome(|| {
        checkpoint(|x: Tensor| if x.numel() == 3 { panic!("in forward") } else { x }, x3());
        Ok(String::new())
    });
    assert_eq!(first.unwrap_err(), "in forward");
    let runs = AtomicUsize::new(0);
    let again = move |x: Tensor| {
        assert!(runs.fetch_add(1, Ordering::Relaxed) == 0, "in backward");
        x.sin()
    };
    let x = x3();
    let y = checkpoint(again, &x).sum();
    let second: Result<String, String> = outcome(|| backward(&y).map(|()| String::new()));
    assert_eq!(second.unwrap_err(), "in backward");
    // Nothing is packed any more: a write to what was saved is seen.
    let z = &x * 1;
    let w = z.sin();
    z.add_(1);
    assert!(backward(&w.sum()).unwrap_err().to_string().contains("modified by an inplace operation"));
}

/// Backward in another thread finds the same, and so do two backwards at once.
#[test]
fn checkpoints_go_back_in_any_thread() {
    let _turn = crate::turn();
    let x = x3();
    let y = checkpoint(|x| (x.sin() * x).exp(), &x).sum();
    let expected = {
        let x = x3();
        backward(&(x.sin() * &x).exp().sum()).unwrap();
        x.grad().unwrap().to_vec::<f64>()
    };
    let gradients = std::thread::scope(|scope| {
        let run = || {
            let gradients = flambeau_autograd::grad(&[&y], &[&x], &[None], true, false, false).unwrap();
            gradients[0].as_ref().unwrap().to_vec::<f64>()
        };
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(run)).collect();
        threads.into_iter().map(|t| t.join().unwrap()).collect::<Vec<_>>()
    });
    assert!(gradients.iter().all(|g| *g == expected));
}

#[test]
fn a_sequence_of_modules_gives_the_same_gradients() {
    let _turn = crate::turn();
    use torch::nn::{self, Module};
    flambeau_device::manual_seed(3);
    let layers = || (nn::Linear::new(4, 4), nn::Tanh::new());
    let net = Arc::new(nn::Sequential::new((layers().0, layers().1, layers().0, layers().1, layers().0)));
    let x = randn([3, 4]);
    let gradients = |y: Tensor| {
        backward(&y.square().sum()).unwrap();
        let all: Vec<Vec<f32>> = net.parameters().iter().map(|p| p.grad().unwrap().to_vec()).collect();
        net.zero_grad();
        all
    };
    let plain = gradients(net.call(&x));
    assert_eq!(gradients(checkpoint_sequential(&net, 2, &x)), plain);
}
