//! Dropout and samples draw PyTorch's stream. A file, and so a process, of its own: the default generator is everyone's.
//!
//! Expected: the same calls after `torch.manual_seed(0)` in PyTorch 2.15, one after the other.

use flambeau_autograd::{from_vec, ones, ops};

#[test]
fn dropout_and_samples_follow_pytorchs_stream() {
    flambeau_device::manual_seed(0);
    let keep = |kept: &[f32], scale: f32| kept.iter().map(|&k| k * scale).collect::<Vec<_>>();
    // F.dropout(torch.ones(2, 5), 0.3)
    let out = ops::dropout(&ones([2, 5]), 0.3, true).unwrap();
    assert_eq!(out.to_vec::<f32>(), keep(&[0., 0., 1., 0., 1., 0., 1., 1., 1., 1.], 1.0 / 0.7));
    // F.dropout(torch.ones(2, 3).t(), 0.5): the stream runs in the order of memory.
    let out = ops::dropout(&ones([2, 3]).t(), 0.5, true).unwrap();
    assert_eq!(out.to_vec::<f32>(), [2., 0., 2., 2., 2., 2.]);
    // F.dropout2d(torch.ones(2, 3, 2, 2), 0.5)[:, :, 0, 0]
    let out = ops::dropout2d(&ones([2, 3, 2, 2]), 0.5, true).unwrap();
    assert_eq!(out.select(-1, 0).select(-1, 0).to_vec::<f32>(), [2., 2., 0., 0., 2., 0.]);
    // F.alpha_dropout(torch.ones(6), 0.4, True)
    let out = ops::alpha_dropout(&ones([6]), 0.4, true).unwrap().to_vec::<f32>();
    for (got, expected) in out.iter().zip([1.4704, 1.4704, 1.4704, 1.4704, 1.4704, -0.9106]) {
        assert!((got - expected).abs() < 5e-5, "{out:?}");
    }
    // torch.bernoulli(torch.tensor([.1, .5, .9, .5]))
    assert_eq!(from_vec(vec![0.1f32, 0.5, 0.9, 0.5], [4]).bernoulli().to_vec::<f32>(), [0., 1., 1., 1.]);
    // torch.multinomial(w, 3), torch.multinomial(w, 3, replacement=True), torch.multinomial(w, 1)
    let w = from_vec(vec![0.1f32, 0.5, 0.3, 0.5], [4]);
    assert_eq!(w.multinomial(3).to_vec::<i64>(), [3, 2, 1]);
    assert_eq!(w.multinomial_with(3, |o| o.replacement(true)).to_vec::<i64>(), [2, 3, 2]);
    assert_eq!(w.multinomial(1).to_vec::<i64>(), [3]);
    // F.rrelu(torch.tensor([-1., 2., -3., -0.]), training=True)
    let out = ops::rrelu(&from_vec(vec![-1.0f32, 2.0, -3.0, -0.0], [4]), 1.0 / 8.0, 1.0 / 3.0, true).unwrap();
    for (got, expected) in out.to_vec::<f32>().iter().zip([-0.1336, 2.0, -0.8429, -0.0]) {
        assert!((got - expected).abs() < 5e-5, "{out}");
    }
    // F.dropout(torch.ones(20), 0.25), torch.rand(2)
    let kept = [1., 1., 0., 1., 0., 0., 0., 1., 1., 0., 0., 1., 1., 1., 1., 1., 1., 1., 1., 0.];
    assert_eq!(ops::dropout(&ones([20]), 0.25, true).unwrap().to_vec::<f32>(), keep(&kept, 1.0 / 0.75));
    let next = flambeau_autograd::rand([2]).to_vec::<f32>();
    assert!((next[0] - 0.3251).abs() < 5e-5 && (next[1] - 0.0902).abs() < 5e-5, "{next:?}");
}
