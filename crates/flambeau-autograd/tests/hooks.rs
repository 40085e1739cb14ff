//! Hooks hold what the user captured: it is dropped when it should be, and never while a lock is held.

use flambeau_autograd::{Tensor, from_vec, ones};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;

/// Fails when `work` does not end in time.
fn watchdog(seconds: u64, work: impl FnOnce() + Send + 'static) {
    let (done, wait) = mpsc::channel();
    let thread = std::thread::spawn(move || {
        work();
        let _ = done.send(());
    });
    wait.recv_timeout(Duration::from_secs(seconds))
        .expect("a value was dropped under a lock that it takes, or a check failed");
    thread.join().unwrap();
}

fn leaf(values: &[f64]) -> Tensor {
    from_vec(values.to_vec(), [values.len()]).requires_grad_(true)
}

/// A value that uses a tensor in every way that takes its locks when it is dropped.
struct Touches {
    tensor: Tensor,
    dropped: Arc<AtomicUsize>,
}

impl Drop for Touches {
    fn drop(&mut self) {
        let t = &self.tensor;
        let _ = (t.grad(), t.requires_grad(), t.grad_fn().is_some(), t.is_view(), t.version(), t.retains_grad());
        t.set_grad(None);
        self.dropped.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn nothing_is_dropped_while_a_tensor_is_locked() {
    watchdog(60, || {
        let dropped = Arc::new(AtomicUsize::new(0));
        // A tensor whose graph holds a hook that captured a value that uses `user`.
        let holder = |user: &Tensor| {
            let y = &leaf(&[1.0, 2.0]) * 2;
            let touches = Touches { tensor: user.shallow_clone(), dropped: dropped.clone() };
            y.register_hook(move |_| {
                let _ = &touches;
                None
            });
            &y * 1
        };
        let mut expected = 0;
        let mut check = |what: &str| {
            expected += 1;
            assert_eq!(dropped.load(Ordering::Relaxed), expected, "{what}");
        };

        let x = leaf(&[1.0, 2.0]);
        x.set_grad(Some(holder(&x)));
        x.set_grad(None);
        check("set_grad");

        let y = from_vec(vec![0.0, 0.0], [2]);
        y.copy_(holder(&y));
        y.detach_();
        check("detach_");

        // Two writes: the second history drops the first, whose source it does not need.
        let y = from_vec(vec![0.0, 0.0], [2]);
        y.copy_(holder(&y));
        y.copy_(leaf(&[1.0, 2.0]));
        drop(y.detach_());
        check("an in-place operation");

        // The gradient that a retained one replaces has a graph of its own.
        let z = &x * 1;
        z.retain_grad();
        z.set_grad(Some(holder(&z)));
        z.sum().backward();
        check("a retained gradient");

        // So has the one that `create_graph` adds to.
        let x = leaf(&[1.0, 2.0]);
        x.set_grad(Some(holder(&x)));
        x.sum().backward_with(|o| o.create_graph(true));
        x.set_grad(None);
        check("accumulation");

        let x = leaf(&[1.0, 2.0]);
        let base = &x * 1;
        let view = base.select(0, 0);
        view.copy_(holder(&base).select(0, 0));
        base.detach_();
        drop((base, view));
        check("a view's base");
    });
}

#[test]
fn a_hook_that_gets_its_tensor_frees_it() {
    let freed = Arc::new(AtomicUsize::new(0));
    struct Counts(Arc<AtomicUsize>);
    impl Drop for Counts {
        fn drop(&mut self) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
    for computed in [false, true] {
        let x = leaf(&[3.0, 4.0]);
        let y = if computed { &x * 1 } else { x.shallow_clone() };
        let counts = Counts(freed.clone());
        y.register_hook_with(move |y, gradient| {
            let _ = &counts;
            Some(gradient * y)
        });
        (&y * 2).sum().backward();
        assert_eq!(x.grad().unwrap().to_vec::<f64>(), [6.0, 8.0]);
        let before = freed.load(Ordering::Relaxed);
        drop((x, y));
        assert_eq!(freed.load(Ordering::Relaxed), before + 1, "computed: {computed}");
    }
    // The tensor itself may be gone when backward comes to it.
    let x = leaf(&[3.0, 4.0]);
    let loss = {
        let y = &x * 1;
        y.register_hook_with(|y, gradient| {
            assert!(y.requires_grad() && y.grad_fn().unwrap().name() == "MulBackward0");
            Some(gradient * y.detach())
        });
        y.sum()
    };
    loss.backward();
    assert_eq!(x.grad().unwrap().to_vec::<f64>(), [3.0, 4.0]);
}

#[test]
fn hooks_run_in_order_and_without_locks() {
    watchdog(60, || {
        let x = ones(2).requires_grad_(true);
        x.register_hook(|g| Some(g + 1));
        let own = x.shallow_clone();
        x.register_hook(move |g| {
            // A hook may use the tensor, and add hooks to it.
            own.register_hook(|_| None);
            assert!(own.grad().is_none());
            Some(g * 10)
        });
        (&x * 1).sum().backward();
        assert_eq!(x.grad().unwrap().to_vec::<f32>(), [20.0, 20.0]);
    });
}
