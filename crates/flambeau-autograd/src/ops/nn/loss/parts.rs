//! How cross-entropy of a linear map goes through the batch in parts.

use crate::Tensor;
use crate::error::{Error, Result};
use flambeau_tensor::DType;
use std::fmt;

/// How [`linear_cross_entropy`](super::linear_cross_entropy()) goes through the batch: `nn.LinearCrossEntropyOptions`. It prints as Python's does.
///
/// With these options the loss is computed for a few samples at a time, so that the logits `[batch, classes]` are never there at
/// once; gradients are computed in forward, and there is no second derivative.
#[derive(Clone, Debug)]
pub struct LinearCrossEntropyOptions {
    pub(super) allow_retain_graph: bool,
    batch_chunk_size: Option<i64>,
    chunking_method: Option<String>,
    acc_policy: String,
    acc_dtype: Option<DType>,
}

impl Default for LinearCrossEntropyOptions {
    fn default() -> Self {
        Self::new()
    }
}

impl LinearCrossEntropyOptions {
    /// With PyTorch's defaults.
    pub fn new() -> Self {
        LinearCrossEntropyOptions {
            allow_retain_graph: false,
            batch_chunk_size: None,
            chunking_method: Some("auto".to_owned()),
            acc_policy: "auto".to_owned(),
            acc_dtype: None,
        }
    }

    /// Whether backward may run again (false): gradients are then kept, not used up. Losses without a reduction always allow it.
    #[must_use]
    pub fn allow_retain_graph(mut self, allow: bool) -> Self {
        self.allow_retain_graph = allow;
        self
    }

    /// How many samples are computed at a time, unless the method says it; `None`: all (`None`).
    #[must_use]
    pub fn batch_chunk_size(mut self, size: impl crate::arguments::OptInt) -> Self {
        self.batch_chunk_size = size.to_option();
        self
    }

    /// How that number is found: `"auto"`; `"aspect_ratio"`, so many that their logits are as large as the input;
    /// `"aspect_ratio:n"`, an n-th of that; `None`, by `batch_chunk_size` alone (`"auto"`).
    #[must_use]
    pub fn chunking_method<'a>(mut self, method: impl Into<Option<&'a str>>) -> Self {
        self.chunking_method = method.into().map(str::to_owned);
        self
    }

    /// Whether halves are computed in `acc_dtype` throughout: `"auto"`, `"accurate"`, `"compact"` (`"auto"`). Here the last two are
    /// the same, but that `"compact"` without an `acc_dtype` computes in the input's dtype.
    #[must_use]
    pub fn acc_policy(mut self, policy: impl Into<String>) -> Self {
        self.acc_policy = policy.into();
        self
    }

    /// The dtype that is computed in; `None`: float32 for halves under the policy `"auto"`, else the input's (`None`).
    #[must_use]
    pub fn acc_dtype(mut self, dtype: impl Into<Option<DType>>) -> Self {
        self.acc_dtype = dtype.into();
        self
    }

    /// Refuses what PyTorch's constructor refuses.
    ///
    /// # Errors
    /// For an unknown policy or method, a chunk size that is not positive, and an `acc_dtype` of integers.
    pub fn check(&self) -> Result<()> {
        if !["auto", "accurate", "compact"].contains(&&*self.acc_policy) {
            return Err(Error::value(format!(
                "invalid acc_policy: '{}'; expected one of 'auto', 'accurate', 'compact'",
                self.acc_policy
            )));
        }
        if let Some(method) = &self.chunking_method {
            self.parts_of_ratio()
                .filter(|&n| n > 0)
                .ok_or_else(|| Error::value(format!("invalid chunking_method: '{method}'")))?;
        }
        if let Some(size) = self.batch_chunk_size.filter(|&size| size <= 0) {
            return Err(Error::value(format!("batch_chunk_size must be positive int or None, got {size}")));
        }
        if let Some(dtype) = self.acc_dtype.filter(|dtype| !dtype.is_floating_point()) {
            return Err(Error::value(format!(
                "acc_dtype must be one of {{None, torch.float16, torch.bfloat16, torch.float32, torch.float64}}, got torch.{}. Pass \
                 acc_dtype=None to let the op pick automatically.",
                dtype.name()
            )));
        }
        Ok(())
    }

    /// The n of `"aspect_ratio:n"`; 1 for `"auto"`, `None` for what is no method.
    fn parts_of_ratio(&self) -> Option<usize> {
        let method = self.chunking_method.as_deref()?;
        match method.strip_prefix("aspect_ratio") {
            None => (method == "auto").then_some(1),
            Some("") => Some(1),
            Some(n) => n.strip_prefix(':').filter(|n| n.bytes().all(|b| b.is_ascii_digit()))?.parse().ok(),
        }
    }

    /// What is computed at a time, and in which dtype.
    pub(super) fn plan(&self, x: &Tensor, classes: usize, of_probabilities: bool) -> Result<Plan> {
        let (dtype, halves) = (x.dtype(), matches!(x.dtype(), DType::F16 | DType::BF16));
        let (n, features) = (x.size()[0], x.size()[1]);
        let auto = self.chunking_method.as_deref() == Some("auto");
        let given = self.batch_chunk_size.map(|size| size as usize);
        let mut chunk = given.map_or(n, |size| size.min(n));
        if let Some(parts) = self.parts_of_ratio().filter(|_| !(auto && given.is_some())) {
            if features == 0 {
                return Err(Error::runtime("integer division or modulo by zero"));
            }
            // As much memory as the input has, in a power of two of samples.
            let target = n.div_ceil(classes.div_ceil(features).max(1));
            chunk = (target.max(1).next_power_of_two() / parts).min(n);
            let compact = match self.acc_policy.as_str() {
                "auto" => !(halves && x.device().is_cpu()),
                policy => policy == "compact",
            };
            if auto && compact {
                let most = if of_probabilities { n / 2 } else { n * classes / (4 * features) };
                let most = most.checked_ilog2().map_or(1, |log| 1 << log);
                chunk = chunk.min(most).max(1);
            }
            if let Some(given) = given.filter(|&given| given != chunk) {
                let method = self.chunking_method.as_deref().unwrap_or_default();
                return Err(Error::value(format!(
                    "batch_chunk_size (={given}) and chunking_method ('{method}') give different chunk sizes ({given} vs {chunk}); \
                     pass only one."
                )));
            }
        }
        let wide = self.acc_policy == "auto" && halves;
        let acc = self.acc_dtype.unwrap_or(if wide { DType::F32 } else { dtype });
        if acc != dtype && !(halves && acc == DType::F32) {
            return Err(Error::runtime(format!(
                "linear_cross_entropy supports float32 acc_dtype with float16/bfloat16 inputs, but got torch.{} acc_dtype and \
                 torch.{} inputs.",
                acc.name(),
                dtype.name()
            )));
        }
        Ok(Plan { chunk: chunk.max(1), acc })
    }
}

impl fmt::Display for LinearCrossEntropyOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let or_none = |text: Option<String>| text.unwrap_or_else(|| "None".to_owned());
        write!(
            f,
            "LinearCrossEntropyOptions(allow_retain_graph={}, batch_chunk_size={}, chunking_method={}, acc_policy='{}', acc_dtype={})",
            if self.allow_retain_graph { "True" } else { "False" },
            or_none(self.batch_chunk_size.map(|n| n.to_string())),
            or_none(self.chunking_method.as_ref().map(|method| format!("'{method}'"))),
            self.acc_policy,
            or_none(self.acc_dtype.map(|dtype| format!("torch.{}", dtype.name())))
        )
    }
}

crate::settings! {
    [] LinearCrossEntropyOptions => Option<LinearCrossEntropyOptions>: |o| Some(o);
    [] Option<LinearCrossEntropyOptions> => Option<LinearCrossEntropyOptions>: |o| o;
}

/// How many samples at a time, in which dtype.
#[derive(Clone, Copy)]
pub(super) struct Plan {
    pub chunk: usize,
    pub acc: DType,
}
