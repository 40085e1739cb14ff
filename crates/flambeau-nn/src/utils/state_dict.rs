//! State dicts of wrapped modules.

use crate::StateDict;

/// Takes `prefix` away from the names that begin with it, which move to the end, and from the modules' names in the metadata:
/// `consume_prefix_in_state_dict_if_present(state_dict, prefix)`. So a file of a `DataParallel` model loads into the plain one.
///
/// ```
/// use flambeau_nn::{self as nn, Module};
/// let wrapped = nn::DataParallel::new(nn::Linear::new(2, 1));
/// let mut state_dict = wrapped.state_dict();
/// nn::utils::consume_prefix_in_state_dict_if_present(&mut state_dict, "module.");
/// assert_eq!(state_dict.keys().collect::<Vec<_>>(), ["weight", "bias"]);
/// nn::Linear::new(2, 1).load_state_dict(&state_dict)?;
/// # Ok::<(), nn::Error>(())
/// ```
pub fn consume_prefix_in_state_dict_if_present(state_dict: &mut StateDict, prefix: &str) {
    state_dict.without_prefix(prefix);
}
