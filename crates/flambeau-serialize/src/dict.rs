//! Python's dictionaries as literals.

/// A Python dictionary, as a checkpoint is: `{"epoch": 3, "model": model.state_dict()}`. Values are whatever
/// [`save`](crate::save) takes: numbers, texts, tensors, state dicts, lists, further dictionaries. A key that comes twice has
/// the later value.
///
/// ```
/// use flambeau_serialize::{dict, load, save};
/// # let path = std::env::temp_dir().join("flambeau-dict-macro.pth");
/// let w = flambeau_autograd::ones([2]);
/// save(&dict! { "epoch": 3, "weights": w, "config": dict! { "lr": 0.1, "name": "cnn" } }, &path)?;
/// let checkpoint = load(&path)?;
/// assert_eq!(checkpoint["epoch"].as_i64(), Some(3));
/// assert_eq!(checkpoint["config"]["name"].as_str(), Some("cnn"));
/// # std::fs::remove_file(&path).unwrap();
/// # Ok::<(), flambeau_serialize::Error>(())
/// ```
#[macro_export]
macro_rules! dict {
    ($($key:literal : $value:expr),* $(,)?) => {
        $crate::dict_of([$(($crate::Save::to_value(&$key), $crate::Save::to_value(&$value))),*])
    };
    ($($key:expr => $value:expr),* $(,)?) => {
        $crate::dict_of([$(($crate::Save::to_value(&$key), $crate::Save::to_value(&$value))),*])
    };
}
