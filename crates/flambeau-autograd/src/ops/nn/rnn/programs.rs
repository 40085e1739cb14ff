//! One step of a recurrent layer as pointwise programs: what becomes of each unit's gates, forward and backward.
//!
//! The forward programs round where PyTorch's cells are several operations. The backward ones are the derivatives by hand, over
//! what a step left behind: activated gates and states.

use flambeau_tensor::pointwise::{Builder, Expr, Pointwise};
use std::sync::LazyLock;

/// Of i, f, g and o before their activation, and c: i, f, g, o, the new c and the new h.
pub(super) static LSTM: LazyLock<Pointwise> = LazyLock::new(|| {
    Pointwise::with_outputs(|b| {
        let [i, f, g, o, c] = inputs(b);
        let [i, f, o] = [i, f, o].map(|gate| gate.sigmoid().rounded());
        let g = g.tanh().rounded();
        let c = ((f * c).rounded() + (i * g).rounded()).rounded();
        vec![i, f, g, o, c, o * c.tanh().rounded()]
    })
});

/// Of the activated i, f, g and o, the former c, the new c, the gradients of h from the next step and from outside, and that of the
/// new c: the gradients of the four gates before their activation, and of the former c.
pub(super) static LSTM_BACKWARD: LazyLock<Pointwise> = LazyLock::new(|| {
    Pointwise::with_outputs(|b| {
        let [i, f, g, o, former, c, from_next, outside, dc] = inputs(b);
        let (dh, t) = (from_next + outside, c.tanh());
        let dc = dc + dh * o * (1.0 - t * t);
        vec![
            dc * g * of_sigmoid(i),
            dc * former * of_sigmoid(f),
            dc * i * (1.0 - g * g),
            dh * t * of_sigmoid(o),
            dc * f,
        ]
    })
});

/// Of o and c: h before its projection.
pub(super) static UNPROJECTED: LazyLock<Pointwise> =
    LazyLock::new(|| Pointwise::new(|b| b.input(0) * b.input(1).tanh()));

/// Of r and z before their activation, what the input adds to n, what the state adds to n, and h: r, z, n and the new h.
pub(super) static GRU: LazyLock<Pointwise> = LazyLock::new(|| {
    Pointwise::with_outputs(|b| {
        let [r, z, xn, hn, h] = inputs(b);
        let [r, z] = [r, z].map(|gate| gate.sigmoid().rounded());
        let n = (xn + (hn * r).rounded()).rounded().tanh().rounded();
        vec![r, z, n, ((h - n).rounded() * z).rounded() + n]
    })
});

/// Of r, z and n, what the state added to n, the former h, and the gradients of the new h from the next step and from outside: the
/// gradients of r, z and n before their activation, of what the state added to n, and the part of the former h's gradient that goes
/// through no product.
pub(super) static GRU_BACKWARD: LazyLock<Pointwise> = LazyLock::new(|| {
    Pointwise::with_outputs(|b| {
        let [r, z, n, hn, h, from_next, outside] = inputs(b);
        let dh = from_next + outside;
        let dn = dh * (1.0 - z) * (1.0 - n * n);
        vec![dn * hn * of_sigmoid(r), dh * (h - n) * of_sigmoid(z), dn, dn * r, dh * z]
    })
});

/// Of what input and state add, with tanh and with relu: the new h.
pub(super) static SIMPLE: LazyLock<[Pointwise; 2]> =
    LazyLock::new(|| [Pointwise::new(|b| b.input(0).tanh()), Pointwise::new(|b| b.input(0).relu())]);

/// Of the new h and its gradients from the next step and from outside, with tanh and with relu: the gradient before the activation.
pub(super) static SIMPLE_BACKWARD: LazyLock<[Pointwise; 2]> = LazyLock::new(|| {
    let tanh = Pointwise::new(|b| {
        let [h, from_next, outside] = inputs(b);
        (from_next + outside) * (1.0 - h * h)
    });
    let relu = Pointwise::new(|b| {
        let [h, from_next, outside] = inputs(b);
        h.le(0.0).select(0.0, from_next + outside)
    });
    [tanh, relu]
});

fn inputs<const N: usize>(b: &Builder) -> [Expr<'_>; N] {
    std::array::from_fn(|i| b.input(i))
}

/// The slope of a sigmoid, by its value.
fn of_sigmoid(y: Expr<'_>) -> Expr<'_> {
    y * (1.0 - y)
}
