//! The kinds of summaries: a file for each tab of TensorBoard.

mod audio;
mod custom_scalars;
mod embedding;
mod graph;
mod histogram;
mod hparams;
mod image;
mod mesh;
mod pr_curve;
mod scalar;
mod tensor;
mod text;

pub use audio::AudioOptions;
pub use custom_scalars::ScalarsChart;
pub use embedding::{EmbeddingOptions, IntoRow};
pub use histogram::HistogramOptions;
pub use hparams::{HParam, HParams, HParamsOptions};
pub use image::{Figure, ImageOptions, ImageWithBoxesOptions};
pub use mesh::MeshOptions;
pub use pr_curve::{PrCurveOptions, PrCurveRaw};
pub use scalar::ScalarOptions;

use crate::wire::Message;

flambeau_autograd::options! {
    /// Options of what has no keyword of its own.
    #[derive(Clone, Copy, Debug)]
    EventOptions {
        /// Seconds since 1970, in the place of the present time. Default: none.
        walltime: Option<f64> = None,
    }
}

/// The dtypes of `TensorProto` that summaries use.
mod dt {
    pub(super) const FLOAT: i64 = 1;
    pub(super) const DOUBLE: i64 = 2;
    pub(super) const STRING: i64 = 7;
}

/// `SummaryMetadata` of a plugin.
fn metadata(plugin: &str, content: Message) -> Message {
    Message::new().message(1, Message::new().bytes(1, plugin).bytes(2, content.into_bytes()))
}

/// `TensorShapeProto`.
fn shape(lengths: impl IntoIterator<Item = usize>) -> Message {
    Message::new().messages(2, lengths.into_iter().map(|n| Message::new().int(1, n as i64)))
}

/// A float32 `TensorProto`.
fn floats(lengths: impl IntoIterator<Item = usize>, values: impl IntoIterator<Item = f32>) -> Message {
    Message::new().int(1, dt::FLOAT).message(2, shape(lengths)).floats(5, values)
}

/// `Summary.Value` of a plugin's tensor.
fn tensor_value(tag: &str, metadata: Message, tensor: Message) -> Message {
    Message::new().bytes(1, tag).message(8, tensor).message(9, metadata)
}
