//! Single numbers over the steps.

use super::{EventOptions, dt, metadata, tensor_value};
use crate::wire::Message;
use crate::{SummaryWriter, Values};
use flambeau_autograd::arguments::OptInt;

flambeau_autograd::options! {
    /// Options of [`SummaryWriter::add_scalar_with`] under PyTorch's names.
    #[derive(Clone, Copy, Debug)]
    ScalarOptions {
        /// Seconds since 1970, in the place of the present time. Default: none.
        walltime: Option<f64> = None,
        /// Whether the number is stored as a tensor, as newer versions of TensorFlow do. Default: false.
        new_style: bool = false,
        /// Whether such a tensor has 64 bits. Default: false.
        double_precision: bool = false,
    }
}

/// A number as TensorBoard's first versions stored it.
fn simple(tag: &str, value: f64) -> Message {
    Message::new().bytes(1, tag).chosen_float(2, value as f32)
}

impl SummaryWriter {
    /// Adds a number to the curve `tag`: `writer.add_scalar(tag, scalar_value, global_step)`. Tags with a `/` are shown in groups.
    ///
    /// # Panics
    /// When `value` has several elements.
    ///
    /// ```
    /// # use torch::utils::tensorboard::SummaryWriter;
    /// # let folder = std::env::temp_dir().join(format!("flambeau-scalar-{}", std::process::id()));
    /// # let writer = SummaryWriter::with(|o| o.log_dir(&folder))?;
    /// let loss = torch::tensor([0.5, 1.5]).mean();
    /// writer.add_scalar("Loss/train", &loss, 0);
    /// writer.add_scalar("Accuracy/train", 0.93, 0);
    /// # writer.close()?;
    /// # std::fs::remove_dir_all(folder).unwrap();
    /// # Ok::<(), torch::utils::tensorboard::Error>(())
    /// ```
    #[track_caller]
    pub fn add_scalar(&self, tag: &str, value: impl Values, global_step: impl OptInt) {
        self.add_scalar_with(tag, value, global_step, |o| o);
    }

    /// [`SummaryWriter::add_scalar`] with PyTorch's keywords: `walltime`, `new_style`, `double_precision`.
    ///
    /// # Panics
    /// When `value` has several elements.
    #[track_caller]
    pub fn add_scalar_with(
        &self,
        tag: &str,
        value: impl Values,
        global_step: impl OptInt,
        options: impl FnOnce(ScalarOptions) -> ScalarOptions,
    ) {
        let o = options(ScalarOptions::default());
        let value = value.numbers().only();
        let tensor = match (o.new_style, o.double_precision) {
            (false, _) => return self.add_summary([simple(tag, value)], global_step, o.walltime),
            (true, false) => Message::new().int(1, dt::FLOAT).floats(5, [value as f32]),
            (true, true) => Message::new().int(1, dt::DOUBLE).doubles(6, [value]),
        };
        let value = tensor_value(tag, metadata("scalars", Message::new()), tensor);
        self.add_summary([value], global_step, o.walltime);
    }

    /// Adds numbers to several curves of one chart: `writer.add_scalars(main_tag, tag_scalar_dict, global_step)`. Each curve has a folder
    /// of its own, `<log_dir>/<main_tag>_<tag>`, so that TensorBoard takes it for a run.
    ///
    /// # Panics
    /// When a value has several elements.
    ///
    /// ```
    /// # use torch::utils::tensorboard::SummaryWriter;
    /// # let folder = std::env::temp_dir().join(format!("flambeau-scalars-{}", std::process::id()));
    /// # let writer = SummaryWriter::with(|o| o.log_dir(&folder))?;
    /// writer.add_scalars("loss", [("train", 0.5), ("validation", 0.75)], 0);
    /// # writer.close()?;
    /// assert!(folder.join("loss_train").is_dir());
    /// # std::fs::remove_dir_all(folder).unwrap();
    /// # Ok::<(), torch::utils::tensorboard::Error>(())
    /// ```
    #[track_caller]
    pub fn add_scalars<T: AsRef<str>, V: Values>(
        &self,
        main_tag: &str,
        values: impl IntoIterator<Item = (T, V)>,
        global_step: impl OptInt,
    ) {
        self.add_scalars_with(main_tag, values, global_step, |o| o);
    }

    /// [`SummaryWriter::add_scalars`] with PyTorch's keyword `walltime`.
    ///
    /// # Panics
    /// When a value has several elements.
    #[track_caller]
    pub fn add_scalars_with<T: AsRef<str>, V: Values>(
        &self,
        main_tag: &str,
        values: impl IntoIterator<Item = (T, V)>,
        global_step: impl OptInt,
        options: impl FnOnce(EventOptions) -> EventOptions,
    ) {
        let walltime = options(EventOptions::default()).walltime.unwrap_or_else(crate::names::now);
        let step = global_step.to_option();
        for (tag, value) in values {
            let folder = format!("{}_{}", main_tag.replace('/', "_"), tag.as_ref());
            let summary = Message::new().message(1, simple(main_tag, value.numbers().only()));
            // Not `join`, with which a tag that begins with a slash would lead elsewhere.
            let mut path = self.log_dir().as_os_str().to_owned();
            path.push("/");
            path.push(folder);
            self.add_event_in(path.as_ref(), Message::new().message(5, summary), step, Some(walltime));
        }
    }
}
