//! Padding at the edges.

use super::{py_number, py_tuple};
use crate::{Module, ModuleState, forward};
use flambeau_autograd::ops::{self, IntoDims, PadMode, PadOptions};
use flambeau_autograd::{OrPanic, Tensor};
use flambeau_tensor::Scalar;
use std::marker::PhantomData;

/// What stands in the padding of a layer, and the names of the layers of one to three dimensions.
pub trait PadKind: Send + Sync + 'static {
    /// The layers' names in prints.
    const NAMES: [&'static str; 3];
    /// What stands in the padding.
    const MODE: PadMode;
}

/// The kinds of padding.
pub mod pad_kinds {
    use super::{PadKind, PadMode};

    macro_rules! kinds {
        ($($(#[$doc:meta])* $kind:ident = $name:literal, $mode:ident;)*) => {$(
            $(#[$doc])*
            pub struct $kind;
            impl PadKind for $kind {
                const NAMES: [&'static str; 3] = [concat!($name, "1d"), concat!($name, "2d"), concat!($name, "3d")];
                const MODE: PadMode = PadMode::$mode;
            }
        )*};
    }
    kinds! {
        /// Zeros.
        Zero = "ZeroPad", Constant;
        /// A number.
        Constant = "ConstantPad", Constant;
        /// The elements mirrored at the edge, which stands once.
        Reflection = "ReflectionPad", Reflect;
        /// The edge, repeated.
        Replication = "ReplicationPad", Replicate;
        /// The elements of the other side.
        Circular = "CircularPad", Circular;
    }
}

/// A layer that pads the last `D` dimensions: `nn.ZeroPad2d`, `nn.ReflectionPad1d` and the like.
///
/// ```
/// use flambeau_nn::{self as nn, Call};
/// let pad = nn::ReflectionPad1d::new((2, 0));
/// let x = flambeau_autograd::tensor([[1.0, 2.0, 3.0]]);
/// assert_eq!(pad.call(x).to_vec::<f32>(), [3.0, 2.0, 1.0, 2.0, 3.0]);
/// assert_eq!(nn::ConstantPad2d::with_value(1, 0.5).to_string(), "ConstantPad2d(padding=(1, 1, 1, 1), value=0.5)");
/// ```
#[derive(Module)]
#[module(type_name, extra_repr)]
pub struct Pad<K: PadKind, const D: usize> {
    padding: Vec<i64>,
    value: Scalar,
    kind: PhantomData<K>,
    state: ModuleState,
}

impl<K: PadKind, const D: usize> Pad<K, D> {
    /// One number for all sides, or (before, after) of the last dimension, of the last but one, …; negative numbers crop.
    #[track_caller]
    pub fn new(padding: impl IntoDims) -> Self {
        const { assert!(D >= 1 && D <= 3, "padding has one to three dimensions") };
        let padding = match padding.into_dims()[..] {
            [all] => vec![all; 2 * D],
            ref each => each.to_vec(),
        };
        Pad { padding, value: Scalar::Float(0.0), kind: PhantomData, state: ModuleState::new() }
    }

    fn is_constant(&self) -> bool {
        K::NAMES == <pad_kinds::Constant as PadKind>::NAMES
    }

    fn type_name(&self) -> &'static str {
        K::NAMES[D - 1]
    }

    fn extra_repr(&self) -> String {
        let padding = py_tuple(&self.padding);
        if self.is_constant() { format!("padding={padding}, value={}", py_number(self.value)) } else { padding }
    }
}

impl<const D: usize> Pad<pad_kinds::Constant, D> {
    /// With the number that stands in the padding: `nn.ConstantPad2d(padding, value)`.
    #[track_caller]
    pub fn with_value(padding: impl IntoDims, value: impl Into<Scalar>) -> Self {
        Pad { value: value.into(), ..Self::new(padding) }
    }
}

#[forward]
impl<K: PadKind, const D: usize> Pad<K, D> {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        let n = x.dim();
        if K::MODE == PadMode::Circular {
            assert!(n == D + 1 || n == D + 2, "expected {}D or {}D input (got {n}D input)", D + 1, D + 2);
        }
        ops::pad(x, &self.padding, &PadOptions { mode: K::MODE, value: self.value }).or_panic()
    }
}

/// Zeros beside [n, channels, length]: `nn.ZeroPad1d(padding)`.
pub type ZeroPad1d = Pad<pad_kinds::Zero, 1>;
/// Zeros around [n, channels, height, width]: `nn.ZeroPad2d(padding)`.
pub type ZeroPad2d = Pad<pad_kinds::Zero, 2>;
/// Zeros around [n, channels, depth, height, width]: `nn.ZeroPad3d(padding)`.
pub type ZeroPad3d = Pad<pad_kinds::Zero, 3>;
/// A number beside [n, channels, length]: `nn.ConstantPad1d(padding, value)`.
pub type ConstantPad1d = Pad<pad_kinds::Constant, 1>;
/// A number around [n, channels, height, width]: `nn.ConstantPad2d(padding, value)`.
pub type ConstantPad2d = Pad<pad_kinds::Constant, 2>;
/// A number around [n, channels, depth, height, width]: `nn.ConstantPad3d(padding, value)`.
pub type ConstantPad3d = Pad<pad_kinds::Constant, 3>;
/// [n, channels, length] mirrored at its ends: `nn.ReflectionPad1d(padding)`.
pub type ReflectionPad1d = Pad<pad_kinds::Reflection, 1>;
/// [n, channels, height, width] mirrored at its edges: `nn.ReflectionPad2d(padding)`.
pub type ReflectionPad2d = Pad<pad_kinds::Reflection, 2>;
/// [n, channels, depth, height, width] mirrored at its faces: `nn.ReflectionPad3d(padding)`.
pub type ReflectionPad3d = Pad<pad_kinds::Reflection, 3>;
/// [n, channels, length] with its ends repeated: `nn.ReplicationPad1d(padding)`.
pub type ReplicationPad1d = Pad<pad_kinds::Replication, 1>;
/// [n, channels, height, width] with its edges repeated: `nn.ReplicationPad2d(padding)`.
pub type ReplicationPad2d = Pad<pad_kinds::Replication, 2>;
/// [n, channels, depth, height, width] with its faces repeated: `nn.ReplicationPad3d(padding)`.
pub type ReplicationPad3d = Pad<pad_kinds::Replication, 3>;
/// [n, channels, length] continued from its other end: `nn.CircularPad1d(padding)`.
pub type CircularPad1d = Pad<pad_kinds::Circular, 1>;
/// [n, channels, height, width] continued from its other sides: `nn.CircularPad2d(padding)`.
pub type CircularPad2d = Pad<pad_kinds::Circular, 2>;
/// [n, channels, depth, height, width] continued from its other sides: `nn.CircularPad3d(padding)`.
pub type CircularPad3d = Pad<pad_kinds::Circular, 3>;
