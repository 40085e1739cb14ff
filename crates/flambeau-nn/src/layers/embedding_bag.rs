//! Sums, means and largest values of bags of a table's rows.

use super::{Place, py_bool, py_number};
use crate::init;
use crate::{Module, ModuleState, Parameter, forward};
use flambeau_autograd::arguments::Int;
use flambeau_autograd::{OrPanic, Tensor, no_grad, ops, options};
use flambeau_tensor::{DType, Device, Scalar};

options! {
    /// Options of [`EmbeddingBag`].
    #[derive(Clone)]
    EmbeddingBagOptions {
        /// Rows of a larger norm are scaled down when they are looked up (none).
        max_norm: Option<Scalar> = None,
        /// Which norm that is (2).
        norm_type: Scalar = Scalar::Float(2.0),
        /// Whether a row's gradient is divided by how often the row was named (false).
        scale_grad_by_freq: bool = false,
        /// What becomes of a bag: `"mean"`, `"sum"` or `"max"` (`"mean"`).
        mode: String = "mean".to_owned(),
        /// Whether the gradient is sparse, which there is not: a call then is an error (false).
        sparse: bool = false,
        /// Whether the last offset is the end of the last bag (false).
        include_last_offset: bool = false,
        /// The row that counts for nothing, gets no gradient and starts as zeros (none).
        padding_idx: Option<i64> = None,
        /// Of [`EmbeddingBag::from_pretrained`]: whether the table is frozen (true).
        freeze: bool = true,
        /// The table's dtype (the default dtype).
        dtype: Option<DType> = None,
        /// The table's device (the default device).
        device: Option<Device> = None,
    }
}

/// For each bag of indices the mean, the sum or the largest values of the table's rows that they name:
/// `nn.EmbeddingBag(num_embeddings, embedding_dim)`. The table starts standard normal.
///
/// A call takes indices `[bags, n]`, or `[total]` with the offsets where bags start; sums may be weighted.
///
/// ```
/// use flambeau_nn as nn;
/// let bag = nn::EmbeddingBag::with(10, 3, |o| o.mode("sum"));
/// let (words, offsets) = (flambeau_autograd::tensor([1, 2, 4, 5]), flambeau_autograd::tensor([0, 3]));
/// assert_eq!(bag.call(&words, &offsets, None).size(), [2, 3]);
/// assert_eq!(bag.call(words.view([2, 2]), None, flambeau_autograd::ones([2, 2])).size(), [2, 3]);
/// assert_eq!(bag.to_string(), "EmbeddingBag(10, 3, mode='sum')");
/// ```
#[derive(Module)]
#[module(extra_repr)]
pub struct EmbeddingBag {
    options: EmbeddingBagOptions,
    /// [num_embeddings, embedding_dim].
    pub weight: Parameter,
    state: ModuleState,
}

impl EmbeddingBag {
    /// With PyTorch's defaults: means.
    #[track_caller]
    pub fn new(num_embeddings: impl Int, embedding_dim: impl Int) -> Self {
        Self::with(num_embeddings, embedding_dim, |o| o)
    }

    /// With options: `max_norm`, `norm_type`, `scale_grad_by_freq`, `mode`, `sparse`, `include_last_offset`, `padding_idx`,
    /// `dtype`, `device`.
    ///
    /// # Panics
    /// When there is no row `padding_idx`.
    #[track_caller]
    pub fn with(
        num_embeddings: impl Int,
        embedding_dim: impl Int,
        options: impl FnOnce(EmbeddingBagOptions) -> EmbeddingBagOptions,
    ) -> Self {
        let (rows, width) = (num_embeddings.to_usize(), embedding_dim.to_usize());
        let options = checked(options(EmbeddingBagOptions::default()), rows);
        let place = Place::new(options.dtype, options.device);
        let weight = init::normal_(place.zeros(&[rows, width]), 0.0, 1.0);
        if let Some(row) = options.padding_idx {
            let _guard = no_grad();
            weight.select(0, row).fill_(0);
        }
        EmbeddingBag { options, weight: Parameter::new(&weight), state: ModuleState::new() }
    }

    /// Over a given table, which is frozen unless `freeze` is false: `nn.EmbeddingBag.from_pretrained(embeddings)`.
    ///
    /// ```
    /// use flambeau_nn as nn;
    /// let table = flambeau_autograd::tensor([[1.0, 2.0], [4.0, 5.0]]);
    /// let bag = nn::EmbeddingBag::from_pretrained(&table, |o| o.mode("max"));
    /// assert_eq!(bag.call(flambeau_autograd::tensor([[1, 0]]), None, None).to_vec::<f32>(), [4.0, 5.0]);
    /// assert!(!bag.weight.requires_grad());
    /// ```
    ///
    /// # Panics
    /// For a table that is no matrix, and when there is no row `padding_idx`.
    #[track_caller]
    pub fn from_pretrained(
        embeddings: &Tensor,
        options: impl FnOnce(EmbeddingBagOptions) -> EmbeddingBagOptions,
    ) -> Self {
        assert!(embeddings.dim() == 2, "Embeddings parameter is expected to be 2-dimensional");
        let options = checked(options(EmbeddingBagOptions::default()), embeddings.size()[0]);
        let weight = Parameter::with_requires_grad(embeddings, !options.freeze);
        EmbeddingBag { options, weight, state: ModuleState::new() }
    }

    fn extra_repr(&self) -> String {
        let (size, o) = (self.weight.size(), &self.options);
        let mut s = format!("{}, {}", size[0], size[1]);
        if let Some(norm) = o.max_norm {
            s += &format!(", max_norm={}", py_number(norm));
        }
        if o.norm_type.to_f64() != 2.0 {
            s += &format!(", norm_type={}", py_number(o.norm_type));
        }
        if o.scale_grad_by_freq {
            s += &format!(", scale_grad_by_freq={}", py_bool(true));
        }
        s += &format!(", mode='{}'", o.mode);
        if let Some(row) = o.padding_idx {
            s += &format!(", padding_idx={row}");
        }
        s
    }
}

/// The options with a padding row that counts from the start.
#[track_caller]
fn checked(mut options: EmbeddingBagOptions, rows: usize) -> EmbeddingBagOptions {
    if let Some(row) = &mut options.padding_idx {
        let n = rows as i64;
        // PyTorch looks at 0 only when it is used.
        assert!((-n..n).contains(row) || *row == 0, "padding_idx must be within num_embeddings");
        *row = if *row < 0 { *row + n } else { *row };
    }
    options
}

#[forward]
impl EmbeddingBag {
    #[track_caller]
    fn forward(&self, input: &Tensor, offsets: Option<&Tensor>, per_sample_weights: Option<&Tensor>) -> Tensor {
        let o = &self.options;
        ops::embedding_bag(
            input,
            &self.weight,
            offsets,
            o.max_norm.map(|norm| norm.to_f64()),
            o.norm_type.to_f64(),
            o.scale_grad_by_freq,
            &o.mode,
            o.sparse,
            per_sample_weights,
            o.include_last_offset,
            o.padding_idx,
        )
        .or_panic()
    }
}
