//! Every place where an operation saves something goes through the hooks: gradients with arrays that were copied and freed are
//! those without.

use crate::backward;
use flambeau_autograd::ops::atan2;
use flambeau_autograd::{Tensor, from_vec, saved_tensors_hooks};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Operations that save in every way: inputs, results, indices, masks, copies, in place and through views.
/// A name, and an operation of one tensor.
type Named = (&'static str, fn(&Tensor) -> Tensor);

const OPERATIONS: &[Named] = &[
    ("exp", |x| x.exp()),
    ("mul", |x| x * x.sin()),
    // Both gradients read both arguments.
    ("atan2", |x| atan2(x, x.cos()).unwrap()),
    ("softmax", |x| x.softmax(1)),
    ("log_softmax", |x| x.log_softmax(1)),
    ("max", |x| x.max_dim(1, false).0),
    ("sort", |x| x.sort_dim(1, false).0),
    ("gather", |x| x.gather(1, x.detach().argsort_dim(1, false))),
    ("index", |x| x.i(from_vec(vec![1i64, 0, 1], [3]))),
    ("mask", |x| x.masked_fill(x.detach().gt(0), 2.0)),
    ("cumprod", |x| x.cumprod(1)),
    ("prod", |x| x.prod()),
    ("var", |x| x.var()),
    ("norm", |x| x.norm()),
    ("matmul", |x| x.matmul(x.t())),
    ("in_place", |x| x.sin().mul_(x).add_(1)),
    ("in_place_exp", |x| (x * 1).exp_()),
    ("through_a_view", |x| {
        let y = x * 1;
        y.i((.., 1)).mul_(x.i((.., 0)));
        y
    }),
];

#[test]
fn every_saved_array_goes_through_the_hooks() {
    let _turn = crate::turn();
    let values: Vec<f64> = (0..6).map(|i| (i * 7 % 11) as f64 / 3.0 - 1.2).collect();
    for (name, op) in OPERATIONS {
        let x = from_vec(values.clone(), [2, 3]).requires_grad_(true);
        backward(&op(&x).sin().sum()).unwrap();
        let plain = x.grad().unwrap().to_vec::<f64>();
        x.set_grad(None);
        let (packed, unpacked) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let (packs, unpacks) = (packed.clone(), unpacked.clone());
        let y = {
            let pack = move |t: &Tensor| {
                packs.fetch_add(1, Ordering::Relaxed);
                t.detach().clone()
            };
            let unpack = move |t: &Tensor| {
                unpacks.fetch_add(1, Ordering::Relaxed);
                t.shallow_clone()
            };
            let _hooks = saved_tensors_hooks(pack, unpack);
            op(&x).sin().sum()
        };
        backward(&y).unwrap();
        assert_eq!(x.grad().unwrap().to_vec::<f64>(), plain, "{name}");
        let (packed, unpacked) = (packed.load(Ordering::Relaxed), unpacked.load(Ordering::Relaxed));
        // One is the sine's; none is unpacked more than once.
        assert!(packed > 1 && unpacked > 1 && unpacked <= packed, "{name}: {packed} packed, {unpacked} unpacked");
    }
}
