//! Texts.

use super::{EventOptions, dt, metadata, shape, tensor_value};
use crate::SummaryWriter;
use crate::wire::Message;
use flambeau_autograd::arguments::OptInt;

impl SummaryWriter {
    /// Adds a text, which TensorBoard reads as Markdown: `writer.add_text(tag, text_string, global_step)`.
    pub fn add_text(&self, tag: &str, text: &str, global_step: impl OptInt) {
        self.add_text_with(tag, text, global_step, |o| o);
    }

    /// [`SummaryWriter::add_text`] with PyTorch's keyword `walltime`.
    pub fn add_text_with(
        &self,
        tag: &str,
        text: &str,
        global_step: impl OptInt,
        options: impl FnOnce(EventOptions) -> EventOptions,
    ) {
        let tensor = Message::new().int(1, dt::STRING).message(2, shape([1])).chosen_bytes(8, text);
        let value = tensor_value(&format!("{tag}/text_summary"), metadata("text", Message::new()), tensor);
        self.add_summary([value], global_step, options(EventOptions::default()).walltime);
    }
}
