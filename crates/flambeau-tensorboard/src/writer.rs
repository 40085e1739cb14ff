//! The writer itself: its folder, its files, and what all summaries have in common.

use crate::error::Result;
use crate::file::{EventFiles, Policy};
use crate::names::{host, now, stamp};
use crate::wire::Message;
use flambeau_autograd::arguments::{Int, Number, OptInt};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

/// Options of [`SummaryWriter`] under PyTorch's names.
#[derive(Clone, Debug)]
pub struct SummaryWriterOptions {
    log_dir: Option<PathBuf>,
    comment: String,
    purge_step: Option<i64>,
    max_queue: i64,
    flush_secs: f64,
    filename_suffix: String,
}

impl Default for SummaryWriterOptions {
    fn default() -> Self {
        SummaryWriterOptions {
            log_dir: None,
            comment: String::new(),
            purge_step: None,
            max_queue: 10,
            flush_secs: 120.0,
            filename_suffix: String::new(),
        }
    }
}

impl SummaryWriterOptions {
    /// The folder for the event files. Runs are compared by folders in one: `runs/exp1`, `runs/exp2`. Default:
    /// `runs/<date>_<host><comment>`.
    #[must_use]
    pub fn log_dir(mut self, folder: impl Into<PathBuf>) -> Self {
        self.log_dir = Some(folder.into());
        self
    }

    /// What is appended to the default folder's name; without effect beside `log_dir`. Default: nothing.
    #[must_use]
    pub fn comment(mut self, comment: impl Into<String>) -> Self {
        self.comment = comment.into();
        self
    }

    /// The step from which on TensorBoard hides what earlier runs wrote in this folder: where a run that crashed goes on. Default: none.
    #[track_caller]
    #[must_use]
    pub fn purge_step(mut self, step: impl OptInt) -> Self {
        self.purge_step = step.to_option();
        self
    }

    /// How many events wait before they are written to the file. Default: 10.
    #[track_caller]
    #[must_use]
    pub fn max_queue(mut self, events: impl Int) -> Self {
        self.max_queue = events.to_i64();
        self
    }

    /// How many seconds events wait at most. Default: 120.
    #[must_use]
    pub fn flush_secs(mut self, seconds: impl Number) -> Self {
        self.flush_secs = seconds.to_f64();
        self
    }

    /// What is appended to the event files' names. Default: nothing.
    #[must_use]
    pub fn filename_suffix(mut self, suffix: impl Into<String>) -> Self {
        self.filename_suffix = suffix.into();
        self
    }
}

/// Writes what TensorBoard shows: `torch.utils.tensorboard.SummaryWriter`.
///
/// The `add_…` methods take a tag, what is to be shown, and the step, which may be `None`; PyTorch's further keywords are set by
/// their `_with` forms. They panic where PyTorch raises for wrong arguments, and return nothing: what the disk refuses is said once on
/// standard error, and is returned by the next [`flush`](SummaryWriter::flush) or [`close`](SummaryWriter::close).
///
/// Events are written in whole records, ten at a time or after two minutes ([`SummaryWriterOptions`]), so that TensorBoard reads the
/// file while it grows, and also when the process is killed. The end of the writer's scope writes the rest, as Python's `with` does.
///
/// ```
/// use torch::utils::tensorboard::SummaryWriter;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let runs = std::env::temp_dir().join(format!("flambeau-runs-{}", std::process::id()));
/// let writer = SummaryWriter::with(|o| o.log_dir(runs.join("first")))?;
/// for step in 0..100 {
///     writer.add_scalar("Loss/train", 1.0 / (1 + step) as f64, step);
/// }
/// writer.add_text("notes", "the learning rate was **0.1**", None);
/// writer.close()?;
/// # std::fs::remove_dir_all(runs)?;
/// # Ok(())
/// # }
/// ```
pub struct SummaryWriter {
    log_dir: PathBuf,
    files: EventFiles,
    /// The parts of `projector_config.pbtxt`, one for each embedding.
    pub(crate) projector: Mutex<String>,
}

impl SummaryWriter {
    /// A writer of a new folder, `runs/<date>_<host>`: `SummaryWriter()`.
    ///
    /// # Errors
    /// When the folder or the file cannot be made.
    pub fn new() -> Result<Self> {
        Self::with(|o| o)
    }

    /// [`SummaryWriter::new`] with PyTorch's keywords: `log_dir`, `comment`, `purge_step`, `max_queue`, `flush_secs`,
    /// `filename_suffix`.
    ///
    /// # Errors
    /// When the folder or the file cannot be made.
    pub fn with(options: impl FnOnce(SummaryWriterOptions) -> SummaryWriterOptions) -> Result<Self> {
        let o = options(SummaryWriterOptions::default());
        let named = o.log_dir.filter(|folder| !folder.as_os_str().is_empty());
        let log_dir = named.unwrap_or_else(|| format!("runs/{}_{}{}", stamp(), host(), o.comment).into());
        let policy = Policy {
            max_queue: usize::try_from(o.max_queue).unwrap_or(0),
            flush_secs: o.flush_secs,
            filename_suffix: o.filename_suffix,
        };
        let writer = SummaryWriter { log_dir, files: EventFiles::new(policy), projector: Mutex::default() };
        writer.files.open(&writer.log_dir)?;
        if let Some(step) = o.purge_step {
            let event = |what: Message| Message::new().double(1, now()).int(2, step).append(what);
            let start = Message::new().int(1, 1);
            for what in [Message::new().chosen_bytes(3, "brain.Event:2"), Message::new().message(7, start)] {
                writer.files.append(&writer.log_dir, &event(what).into_bytes());
            }
        }
        Ok(writer)
    }

    /// The folder of the event files, `log_dir`.
    pub fn log_dir(&self) -> &Path {
        &self.log_dir
    }

    /// [`SummaryWriter::log_dir`] under the name of PyTorch's method.
    pub fn get_logdir(&self) -> &Path {
        &self.log_dir
    }

    /// Writes all that waits to the files.
    ///
    /// # Errors
    /// What the disk refused since the last call.
    pub fn flush(&self) -> Result<()> {
        self.files.flush()
    }

    /// Writes all that waits to the files and closes them. What is added later goes to new files in the same folder. The end of the
    /// writer's scope does the same.
    ///
    /// # Errors
    /// What the disk refused since the last call.
    pub fn close(&self) -> Result<()> {
        self.files.close()
    }

    /// Keeps a failure until the next flush.
    pub(crate) fn note(&self, outcome: Result<()>) {
        self.files.note(outcome);
    }

    /// Adds an event whose content is `what`, a field of `Event`.
    pub(crate) fn add_event(&self, what: Message, step: Option<i64>, walltime: Option<f64>) {
        self.add_event_in(&self.log_dir, what, step, walltime);
    }

    /// [`SummaryWriter::add_event`] in another folder.
    pub(crate) fn add_event_in(&self, folder: &Path, what: Message, step: Option<i64>, walltime: Option<f64>) {
        let event = Message::new().double(1, walltime.unwrap_or_else(now)).int(2, step.unwrap_or(0)).append(what);
        self.files.append(folder, &event.into_bytes());
    }

    /// Adds a summary of these values.
    pub(crate) fn add_summary(
        &self,
        values: impl IntoIterator<Item = Message>,
        step: impl OptInt,
        walltime: Option<f64>,
    ) {
        let summary = Message::new().messages(1, values);
        self.add_event(Message::new().message(5, summary), step.to_option(), walltime);
    }
}
