//! What constructors of models take, and where their weights come from.

use crate::error::{Error, Result};
use flambeau_nn::{Module, StateDict};
use flambeau_serialize::load;
use std::path::{Path, PathBuf};

/// Where a model's weights come from: [`Fresh`] or [`FromFile`]. It decides what a constructor returns.
///
/// Fresh weights cannot fail, so `resnet18_with(|o| o.num_classes(10))` is a model; a file can, so
/// `resnet18_with(|o| o.weights(path))` is a [`Result`].
pub trait Weights: sealed::Sealed {
    /// What a constructor of the model `M` returns.
    type Made<M>;
    /// Whether the weights are read from a file.
    #[doc(hidden)]
    const FROM_FILE: bool;
    /// Gives `model` its weights: a file's keys are renamed first, and `then` is done with a model that was loaded.
    #[doc(hidden)]
    fn give<M: Module>(self, model: M, rename: Rename, then: impl FnOnce(&mut M)) -> Self::Made<M>;
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for super::Fresh {}
    impl Sealed for super::FromFile {}
}

/// The new name of a key of an older file's state dict, if it has one.
#[doc(hidden)]
pub type Rename = fn(&str) -> Option<String>;

/// No key has another name.
pub(crate) fn same_keys(_: &str) -> Option<String> {
    None
}

/// Weights drawn from the default generator, as torchvision draws them.
pub struct Fresh;

/// Weights read from a file of `torch.save` or safetensors.
pub struct FromFile(PathBuf);

impl Weights for Fresh {
    type Made<M> = M;
    const FROM_FILE: bool = false;
    fn give<M: Module>(self, model: M, _: Rename, _: impl FnOnce(&mut M)) -> M {
        model
    }
}

impl Weights for FromFile {
    type Made<M> = Result<M>;
    const FROM_FILE: bool = true;
    fn give<M: Module>(self, mut model: M, rename: Rename, then: impl FnOnce(&mut M)) -> Result<M> {
        load_weights(&model, &self.0, rename)?;
        then(&mut model);
        Ok(model)
    }
}

impl FromFile {
    pub(crate) fn new(path: impl Into<PathBuf>) -> Self {
        FromFile(path.into())
    }
}

/// Loads a state dict from a file, strictly.
fn load_weights(model: &impl Module, path: &Path, rename: Rename) -> Result<()> {
    let named = |what: String| Error::Weights { path: path.to_owned(), what };
    let value = load(path)?;
    let mut state: StateDict = value.extract().map_err(|error| named(error.to_string()))?;
    let old: Vec<(String, String)> = state.keys().filter_map(|key| Some((key.to_owned(), rename(key)?))).collect();
    for (old, new) in old {
        if let Some(tensor) = state.remove(&old) {
            state.insert(new, tensor);
        }
    }
    model.load_state_dict(&state).map_err(|error| named(error.to_string()))
}

/// A struct of a family's options, with a setter for each, and with `num_classes` and `weights`, which all families have. Rows
/// behind `norm` get a setter that takes a function of the number of channels.
macro_rules! model_options {
    ($(#[$meta:meta])* $name:ident {
        $( $(#[$doc:meta])* $field:ident: $t:ty = $default:expr ),* $(,)?
    } $(norm $norm:ident = $norm_default:expr)?) => {
        $(#[$meta])*
        pub struct $name<W = $crate::models::options::Fresh> {
            pub(crate) num_classes: usize,
            pub(crate) weights: W,
            $( pub(crate) $norm: $crate::ops::NormLayer, )?
            $( pub(crate) $field: $t, )*
        }

        impl Default for $name {
            fn default() -> Self {
                $name {
                    num_classes: 1000,
                    weights: $crate::models::options::Fresh,
                    $( $norm: $norm_default, )?
                    $( $field: $default, )*
                }
            }
        }

        impl<W> $name<W> {
            /// The number of classes, which is the number of outputs (1000).
            #[must_use]
            #[track_caller]
            pub fn num_classes(mut self, num_classes: impl flambeau_autograd::arguments::Int) -> Self {
                self.num_classes = num_classes.to_usize();
                self
            }

            /// The file that the weights are read from: one of `torch.save`, `.pth`, or `.safetensors`. Its keys and shapes must be
            /// the model's. The constructor returns a `Result` then, whose error names the file.
            #[must_use]
            pub fn weights(self, path: impl Into<std::path::PathBuf>) -> $name<$crate::models::options::FromFile> {
                $name {
                    num_classes: self.num_classes,
                    weights: $crate::models::options::FromFile::new(path),
                    $( $norm: self.$norm, )?
                    $( $field: self.$field, )*
                }
            }

            $(
                /// What makes the normalisation of so many channels.
                #[must_use]
                pub fn $norm<M: flambeau_nn::Forward>(
                    mut self,
                    norm: impl Fn(usize) -> M + Send + Sync + 'static,
                ) -> Self {
                    self.$norm = $crate::ops::norm_layer(norm);
                    self
                }
            )?

            $(
                $(#[$doc])*
                #[must_use]
                #[track_caller]
                pub fn $field(mut self, $field: impl flambeau_autograd::Setting<$t>) -> Self {
                    self.$field = flambeau_autograd::Setting::setting($field);
                    self
                }
            )*
        }
    };
}
pub(crate) use model_options;

/// For each row `name, name_with = configuration;` both constructors of a model. A configuration has `options()`, the defaults, and
/// `build(options)`.
macro_rules! constructors {
    ($model:ident, $options:ident; $( $(#[$doc:meta])* $name:ident, $with:ident = $config:expr; )*) => {$(
        $(#[$doc])*
        #[track_caller]
        pub fn $name() -> $model {
            $with(|o| o)
        }

        #[doc = concat!("[`", stringify!($name), "`] with options; a `Result` where they name a file of weights.")]
        ///
        /// # Errors
        /// When the file of weights cannot be read, or its keys or shapes are not the model's.
        #[track_caller]
        pub fn $with<W: $crate::models::options::Weights>(
            options: impl FnOnce($options) -> $options<W>,
        ) -> W::Made<$model> {
            let config = $config;
            let options = options(config.options());
            config.build(options)
        }
    )*};
}
pub(crate) use constructors;
