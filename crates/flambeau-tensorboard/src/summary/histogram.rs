//! Distributions over the steps.

use super::EventOptions;
use crate::histogram::proto;
use crate::wire::Message;
use crate::{Bins, SummaryWriter, Values};
use flambeau_autograd::Setting;
use flambeau_autograd::arguments::{Number, OptInt};

/// Options of [`SummaryWriter::add_histogram_with`] under PyTorch's names.
#[derive(Clone, Debug)]
pub struct HistogramOptions {
    bins: Bins,
    walltime: Option<f64>,
    max_bins: Option<i64>,
}

impl HistogramOptions {
    /// How bins are made: a rule's name, a number of bins, or their edges. Default: `"tensorflow"`.
    #[must_use]
    pub fn bins(mut self, bins: impl Into<Bins>) -> Self {
        self.bins = bins.into();
        self
    }

    /// Seconds since 1970, in the place of the present time. Default: none.
    #[must_use]
    pub fn walltime(mut self, walltime: impl Setting<Option<f64>>) -> Self {
        self.walltime = walltime.setting();
        self
    }

    /// About how many bins there may be; of more, neighbours are merged. Default: none.
    #[track_caller]
    #[must_use]
    pub fn max_bins(mut self, max_bins: impl Setting<Option<i64>>) -> Self {
        self.max_bins = max_bins.setting();
        self
    }
}

impl SummaryWriter {
    /// Adds how some values are distributed, such as weights or gradients: `writer.add_histogram(tag, values, global_step)`.
    ///
    /// # Panics
    /// When there are no values, or none of them is in a bin.
    ///
    /// ```
    /// # use torch::utils::tensorboard::SummaryWriter;
    /// # let folder = std::env::temp_dir().join(format!("flambeau-histogram-{}", std::process::id()));
    /// # let writer = SummaryWriter::with(|o| o.log_dir(&folder))?;
    /// writer.add_histogram("weights", torch::randn(1000), 0);
    /// writer.add_histogram_with("weights/auto", torch::randn(1000), 0, |o| o.bins("auto"));
    /// # writer.close()?;
    /// # std::fs::remove_dir_all(folder).unwrap();
    /// # Ok::<(), torch::utils::tensorboard::Error>(())
    /// ```
    #[track_caller]
    pub fn add_histogram(&self, tag: &str, values: impl Values, global_step: impl OptInt) {
        self.add_histogram_with(tag, values, global_step, |o| o);
    }

    /// [`SummaryWriter::add_histogram`] with PyTorch's keywords: `bins`, `walltime`, `max_bins`.
    ///
    /// # Panics
    /// When there are no values, none of them is in a bin, or there is no such rule.
    #[track_caller]
    pub fn add_histogram_with(
        &self,
        tag: &str,
        values: impl Values,
        global_step: impl OptInt,
        options: impl FnOnce(HistogramOptions) -> HistogramOptions,
    ) {
        let plain = HistogramOptions { bins: "tensorflow".into(), walltime: None, max_bins: None };
        let o = options(plain);
        let histogram = proto(&values.numbers().data, &o.bins, o.max_bins);
        self.add_summary([Message::new().bytes(1, tag).message(5, histogram)], global_step, o.walltime);
    }

    /// Adds a histogram that was counted elsewhere:
    /// `writer.add_histogram_raw(tag, min, max, num, sum, sum_squares, bucket_limits, bucket_counts, global_step)`. A bucket's limit is
    /// its upper one.
    ///
    /// # Panics
    /// When there are not as many limits as counts.
    #[track_caller]
    #[allow(clippy::too_many_arguments, reason = "PyTorch's arguments")]
    pub fn add_histogram_raw(
        &self,
        tag: &str,
        min: impl Number,
        max: impl Number,
        num: impl Number,
        sum: impl Number,
        sum_squares: impl Number,
        bucket_limits: impl Values,
        bucket_counts: impl Values,
        global_step: impl OptInt,
    ) {
        let numbers = [min.to_f64(), max.to_f64(), num.to_f64(), sum.to_f64(), sum_squares.to_f64()];
        self.add_histogram_raw_with(tag, numbers, bucket_limits, bucket_counts, global_step, |o| o);
    }

    /// [`SummaryWriter::add_histogram_raw`] with PyTorch's keyword `walltime`; `min`, `max`, `num`, `sum` and `sum_squares` are an array.
    ///
    /// # Panics
    /// When there are not as many limits as counts.
    #[track_caller]
    pub fn add_histogram_raw_with(
        &self,
        tag: &str,
        [min, max, num, sum, sum_squares]: [f64; 5],
        bucket_limits: impl Values,
        bucket_counts: impl Values,
        global_step: impl OptInt,
        options: impl FnOnce(EventOptions) -> EventOptions,
    ) {
        let (limits, counts) = (bucket_limits.numbers().data, bucket_counts.numbers().data);
        assert!(limits.len() == counts.len(), "len(bucket_limits) != len(bucket_counts), see the document.");
        let scalars = [min, max, num, sum, sum_squares].into_iter().zip(1..);
        let histogram = scalars.fold(Message::new(), |message, (value, field)| message.double(field, value));
        let value = Message::new().bytes(1, tag).message(5, histogram.doubles(6, limits).doubles(7, counts));
        self.add_summary([value], global_step, options(EventOptions::default()).walltime);
    }
}
