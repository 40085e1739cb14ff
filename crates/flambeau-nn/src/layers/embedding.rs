//! Tables of vectors.

use super::{Place, py_bool, py_number};
use crate::init;
use crate::{Module, ModuleState, Parameter, forward};
use flambeau_autograd::arguments::Int;
use flambeau_autograd::options;
use flambeau_autograd::{OrPanic, Tensor, no_grad, ops};
use flambeau_tensor::{DType, Device, Scalar};

options! {
    /// Options of [`Embedding`].
    #[derive(Clone)]
    EmbeddingOptions {
        /// The row that gets no gradient and starts as zeros (none).
        padding_idx: Option<i64> = None,
        /// Rows of a larger norm are scaled down when they are looked up (none).
        max_norm: Option<Scalar> = None,
        /// Which norm that is (2).
        norm_type: Scalar = Scalar::Float(2.0),
        /// Whether a row's gradient is divided by how often the row was named (false).
        scale_grad_by_freq: bool = false,
        /// Of [`Embedding::from_pretrained`]: whether the table is frozen (true).
        freeze: bool = true,
        /// The table's dtype (the default dtype).
        dtype: Option<DType> = None,
        /// The table's device (the default device).
        device: Option<Device> = None,
    }
}

/// The rows of a table that indices name: `nn.Embedding(num_embeddings, embedding_dim)`. The table starts standard normal.
#[derive(Module)]
#[module(extra_repr)]
pub struct Embedding {
    options: EmbeddingOptions,
    /// [num_embeddings, embedding_dim].
    pub weight: Parameter,
    state: ModuleState,
}

impl Embedding {
    /// With PyTorch's defaults.
    #[track_caller]
    pub fn new(num_embeddings: impl Int, embedding_dim: impl Int) -> Self {
        Self::with(num_embeddings, embedding_dim, |o| o)
    }

    /// With options: `padding_idx`, `max_norm`, `norm_type`, `scale_grad_by_freq`, `dtype`, `device`.
    ///
    /// # Panics
    /// When there is no row `padding_idx`.
    #[track_caller]
    pub fn with(
        num_embeddings: impl Int,
        embedding_dim: impl Int,
        options: impl FnOnce(EmbeddingOptions) -> EmbeddingOptions,
    ) -> Self {
        let num_embeddings = num_embeddings.to_usize();
        let embedding_dim = embedding_dim.to_usize();
        let options = checked(options(EmbeddingOptions::default()), num_embeddings);
        let place = Place::new(options.dtype, options.device);
        let weight = init::normal_(place.zeros(&[num_embeddings, embedding_dim]), 0.0, 1.0);
        if let Some(row) = options.padding_idx {
            let _guard = no_grad();
            weight.select(0, row).fill_(0);
        }
        Embedding { options, weight: Parameter::new(&weight), state: ModuleState::new() }
    }

    /// Over a given table, which is frozen unless `freeze` is false: `nn.Embedding.from_pretrained(embeddings)`.
    ///
    /// # Panics
    /// For a table that is no matrix, and when there is no row `padding_idx`.
    #[track_caller]
    pub fn from_pretrained(embeddings: &Tensor, options: impl FnOnce(EmbeddingOptions) -> EmbeddingOptions) -> Self {
        assert!(embeddings.dim() == 2, "Embeddings parameter is expected to be 2-dimensional");
        let options = checked(options(EmbeddingOptions::default()), embeddings.size()[0]);
        let weight = Parameter::with_requires_grad(embeddings, !options.freeze);
        Embedding { options, weight, state: ModuleState::new() }
    }

    fn extra_repr(&self) -> String {
        let (size, o) = (self.weight.size(), &self.options);
        let mut s = format!("{}, {}", size[0], size[1]);
        if let Some(row) = o.padding_idx {
            s += &format!(", padding_idx={row}");
        }
        if let Some(norm) = o.max_norm {
            s += &format!(", max_norm={}", py_number(norm));
        }
        if o.norm_type.to_f64() != 2.0 {
            s += &format!(", norm_type={}", py_number(o.norm_type));
        }
        if o.scale_grad_by_freq {
            s += &format!(", scale_grad_by_freq={}", py_bool(true));
        }
        s
    }
}

/// The options with a padding row that counts from the start.
#[track_caller]
fn checked(mut options: EmbeddingOptions, rows: usize) -> EmbeddingOptions {
    if let Some(row) = &mut options.padding_idx {
        let n = rows as i64;
        assert!((-n..n).contains(row), "Padding_idx must be within num_embeddings");
        *row = row.rem_euclid(n);
    }
    options
}

#[forward]
impl Embedding {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        let o = &self.options;
        let options =
            ops::EmbeddingOptions::default().padding_idx(o.padding_idx).max_norm(o.max_norm.map(|norm| norm.to_f64()));
        let options = options.norm_type(o.norm_type.to_f64()).scale_grad_by_freq(o.scale_grad_by_freq);
        ops::embedding(x, &self.weight, &options).or_panic()
    }
}
