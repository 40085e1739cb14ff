//! `sparse_` draws its rows from the default generator, which is one for all threads: a program of its own.

use flambeau_autograd::empty;
use flambeau_nn::init;
use flambeau_tensor::random::Generator;

#[test]
fn rows_come_from_the_default_generator_and_numbers_from_the_callers() {
    flambeau_device::manual_seed(7);
    let g = Generator::new().manual_seed(5);
    // torch.manual_seed(7); nn.init.sparse_(torch.empty(3, 2), 0.5, 1, torch.Generator().manual_seed(5))
    let x = init::sparse_with_(empty([3, 2]), 0.5, |o| o.std(1).generator(&g)).to_vec::<f32>();
    let expected = [0.0, 0.0, 0.0, 0.0, -0.197415, 1.942783];
    assert!(x.iter().zip(expected).all(|(a, b)| (a - b).abs() < 2e-6), "{x:?}, expected {expected:?}");
}
