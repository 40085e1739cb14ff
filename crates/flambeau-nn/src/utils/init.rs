//! Layers whose initial numbers do not matter.

use flambeau_device::default_generators;

/// A layer whose numbers are not drawn from the default generator, since they will be replaced: `nn.utils.skip_init(nn.Linear, 2,
/// 3)`. What it holds is not to be relied upon; the random stream goes on as if it had not been made.
///
/// ```
/// use flambeau_device::manual_seed;
/// use flambeau_nn as nn;
/// manual_seed(0);
/// let before = flambeau_autograd::randn([2]);
/// manual_seed(0);
/// let layer = nn::utils::skip_init(|| nn::Linear::new(2, 3));
/// assert!(flambeau_autograd::randn([2]).equal(&before));
/// assert_eq!(layer.weight.size(), [3, 2]);
/// ```
pub fn skip_init<M>(module: impl FnOnce() -> M) -> M {
    let states: Vec<_> = default_generators().into_iter().map(|g| (g, g.get_state())).collect();
    let module = module();
    for (generator, state) in states {
        generator.set_state(&state).expect("it is the generator's own state");
    }
    module
}
