//! What draws from the default generator, which is one for all threads: a program of its own, one test at a time.

use flambeau_autograd::{empty, ones};
use flambeau_nn::{self as nn, init};
use flambeau_tensor::random::Generator;
use std::sync::{Mutex, PoisonError};

/// Held by each test.
static TURN: Mutex<()> = Mutex::new(());

#[test]
fn rows_come_from_the_default_generator_and_numbers_from_the_callers() {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    flambeau_device::manual_seed(7);
    let g = Generator::new().manual_seed(5);
    // torch.manual_seed(7); nn.init.sparse_(torch.empty(3, 2), 0.5, 1, torch.Generator().manual_seed(5))
    let x = init::sparse_with_(empty([3, 2]), 0.5, |o| o.std(1).generator(&g)).to_vec::<f32>();
    let expected = [0.0, 0.0, 0.0, 0.0, -0.197415, 1.942783];
    assert!(x.iter().zip(expected).all(|(a, b)| (a - b).abs() < 2e-6), "{x:?}, expected {expected:?}");
}

#[test]
fn the_first_call_draws_as_a_plain_layer_does() {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    for seed in 0..3 {
        flambeau_device::manual_seed(seed);
        let plain = (nn::Linear::new(5, 3), nn::Conv1d::new(2, 4, 3));
        let lazy = (nn::LazyLinear::new(3), nn::LazyConv1d::new(4, 3));
        flambeau_device::manual_seed(seed);
        lazy.0.call(ones([1, 5]));
        lazy.1.initialize_parameters(ones([1, 2, 7]));
        // Asked for by hand, it is known but was not called.
        assert_eq!(lazy.1.to_string(), "LazyConv1d(2, 4, kernel_size=(3,), stride=(1,))");
        assert!(plain.0.weight.equal(&lazy.0.weight) && plain.0.bias.unwrap().equal(lazy.0.bias.as_ref().unwrap()));
        assert!(plain.1.weight.equal(&lazy.1.weight) && plain.1.bias.unwrap().equal(lazy.1.bias.as_ref().unwrap()));
    }
}
