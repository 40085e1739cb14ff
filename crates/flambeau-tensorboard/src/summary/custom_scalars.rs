//! Charts of several curves that the user arranges.

use super::{dt, metadata, shape, tensor_value};
use crate::SummaryWriter;
use crate::wire::Message;

/// A chart of [`SummaryWriter::add_custom_scalars`]: Python's `["Multiline", tags]` or `["Margin", tags]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ScalarsChart {
    /// Several curves.
    Multiline(Vec<String>),
    /// A curve between a lower and an upper one: the tags of the value, the lower and the upper limit.
    Margin([String; 3]),
}

impl ScalarsChart {
    /// A chart of several curves, by their tags.
    pub fn multiline<T: Into<String>>(tags: impl IntoIterator<Item = T>) -> Self {
        ScalarsChart::Multiline(tags.into_iter().map(Into::into).collect())
    }

    /// A chart of a curve with its limits, by their tags.
    pub fn margin<T: Into<String>>(tags: [T; 3]) -> Self {
        ScalarsChart::Margin(tags.map(Into::into))
    }

    fn proto(&self, title: &str) -> Message {
        let chart = Message::new().bytes(1, title);
        match self {
            ScalarsChart::Multiline(tags) => {
                let content = tags.iter().fold(Message::new(), |message, tag| message.chosen_bytes(1, tag));
                chart.message(2, content)
            }
            ScalarsChart::Margin(tags) => {
                let series =
                    tags.iter().zip(1..).fold(Message::new(), |message, (tag, field)| message.bytes(field, tag));
                chart.message(3, Message::new().message(1, series))
            }
        }
    }
}

impl SummaryWriter {
    /// Arranges charts of curves that [`add_scalar`](SummaryWriter::add_scalar) writes: `writer.add_custom_scalars(layout)`, with the
    /// layout as categories and their charts, each with its name. Once for each writer, before or after the curves.
    ///
    /// ```
    /// use torch::utils::tensorboard::{ScalarsChart, SummaryWriter};
    /// # let folder = std::env::temp_dir().join(format!("flambeau-layout-{}", std::process::id()));
    /// # let writer = SummaryWriter::with(|o| o.log_dir(&folder))?;
    /// writer.add_custom_scalars([
    ///     ("Losses", vec![("both", ScalarsChart::multiline(["Loss/train", "Loss/test"]))]),
    ///     ("Errors", vec![("of the mean", ScalarsChart::margin(["mean", "low", "high"]))]),
    /// ]);
    /// # writer.close()?;
    /// # std::fs::remove_dir_all(folder).unwrap();
    /// # Ok::<(), torch::utils::tensorboard::Error>(())
    /// ```
    pub fn add_custom_scalars<C: AsRef<str>, T: AsRef<str>, L: IntoIterator<Item = (T, ScalarsChart)>>(
        &self,
        layout: impl IntoIterator<Item = (C, L)>,
    ) {
        let categories = layout.into_iter().map(|(title, charts)| {
            let charts = charts.into_iter().map(|(title, chart)| chart.proto(title.as_ref()));
            Message::new().bytes(1, title.as_ref()).messages(2, charts)
        });
        let layout = Message::new().messages(2, categories).into_bytes();
        let tensor = Message::new().int(1, dt::STRING).message(2, shape([])).chosen_bytes(8, layout);
        let value = tensor_value("custom_scalars__config__", metadata("custom_scalars", Message::new()), tensor);
        self.add_summary([value], None, None);
    }

    /// One chart of several curves, in the category `default` and without a title:
    /// `writer.add_custom_scalars_multilinechart(tags)`.
    pub fn add_custom_scalars_multilinechart<T: Into<String>>(&self, tags: impl IntoIterator<Item = T>) {
        self.add_custom_scalars([("default", [("untitled", ScalarsChart::multiline(tags))])]);
    }

    /// One chart of a curve with its limits: `writer.add_custom_scalars_marginchart(tags)`.
    pub fn add_custom_scalars_marginchart<T: Into<String>>(&self, tags: [T; 3]) {
        self.add_custom_scalars([("default", [("untitled", ScalarsChart::margin(tags))])]);
    }
}
