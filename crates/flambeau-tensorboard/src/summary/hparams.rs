//! Hyperparameters beside what came of them.

use super::metadata;
use crate::wire::Message;
use crate::{SummaryWriter, Values};
use flambeau_autograd::Tensor;
use flambeau_autograd::arguments::OptInt;

/// The value of a hyperparameter.
#[derive(Clone, Debug, PartialEq)]
pub enum HParam {
    /// A number; a truth value is 0 or 1, as in PyTorch.
    Number(f64),
    /// A text.
    Text(String),
    /// Not given.
    None,
}

macro_rules! from_numbers {
    ($($t:ty),*) => {$(
        impl From<$t> for HParam {
            fn from(number: $t) -> Self {
                HParam::Number(number as f64)
            }
        }
    )*};
}
from_numbers!(f32, f64, i8, i16, i32, i64, isize, u8, u16, u32, u64, usize);

impl From<bool> for HParam {
    fn from(value: bool) -> Self {
        HParam::Number(f64::from(u8::from(value)))
    }
}

impl From<&str> for HParam {
    fn from(text: &str) -> Self {
        HParam::Text(text.to_owned())
    }
}

impl From<String> for HParam {
    fn from(text: String) -> Self {
        HParam::Text(text)
    }
}

impl From<&String> for HParam {
    fn from(text: &String) -> Self {
        HParam::Text(text.clone())
    }
}

/// A tensor of one element.
impl From<&Tensor> for HParam {
    #[track_caller]
    fn from(x: &Tensor) -> Self {
        HParam::Number(x.item())
    }
}

impl<T: Into<HParam>> From<Option<T>> for HParam {
    fn from(value: Option<T>) -> Self {
        value.map_or(HParam::None, Into::into)
    }
}

impl HParam {
    /// `google.protobuf.Value`.
    fn proto(&self) -> Message {
        match self {
            HParam::Number(number) => Message::new().chosen_double(2, *number),
            HParam::Text(text) => Message::new().chosen_bytes(3, text),
            HParam::None => Message::new(),
        }
    }
}

/// Names and values: a list of pairs, or a tuple of pairs, whose values may be of several types.
///
/// ```
/// use flambeau_tensorboard::{HParam, HParams};
/// let mixed = (("lr", 0.1), ("bsize", 32), ("optimizer", "adam")).hparams();
/// assert_eq!(mixed[2], ("optimizer".to_owned(), HParam::from("adam")));
/// assert_eq!([("lr", 0.1), ("momentum", 0.9)].hparams().len(), 2);
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no list of names and values",
    label = "expected an array or vector of pairs, or a tuple of pairs"
)]
pub trait HParams {
    /// The pairs.
    fn hparams(self) -> Vec<(String, HParam)>;
}

impl<K: Into<String>, V: Into<HParam>> HParams for Vec<(K, V)> {
    fn hparams(self) -> Vec<(String, HParam)> {
        self.into_iter().map(|(name, value)| (name.into(), value.into())).collect()
    }
}

impl<K: Into<String>, V: Into<HParam>, const N: usize> HParams for [(K, V); N] {
    fn hparams(self) -> Vec<(String, HParam)> {
        Vec::from(self).hparams()
    }
}

impl<K: Into<String>, V: Into<HParam>> HParams for std::collections::BTreeMap<K, V> {
    fn hparams(self) -> Vec<(String, HParam)> {
        Vec::from_iter(self).hparams()
    }
}

impl<K: Into<String>, V: Into<HParam>, S> HParams for std::collections::HashMap<K, V, S> {
    fn hparams(self) -> Vec<(String, HParam)> {
        Vec::from_iter(self).hparams()
    }
}

macro_rules! tuples {
    ($(($($k:ident $v:ident $at:tt)*))*) => {$(
        impl<$($k: Into<String>, $v: Into<HParam>),*> HParams for ($(($k, $v),)*) {
            fn hparams(self) -> Vec<(String, HParam)> {
                vec![$((self.$at.0.into(), self.$at.1.into())),*]
            }
        }
    )*};
}
tuples! {
    (A0 A1 0)
    (A0 A1 0 B0 B1 1)
    (A0 A1 0 B0 B1 1 C0 C1 2)
    (A0 A1 0 B0 B1 1 C0 C1 2 D0 D1 3)
    (A0 A1 0 B0 B1 1 C0 C1 2 D0 D1 3 E0 E1 4)
    (A0 A1 0 B0 B1 1 C0 C1 2 D0 D1 3 E0 E1 4 F0 F1 5)
    (A0 A1 0 B0 B1 1 C0 C1 2 D0 D1 3 E0 E1 4 F0 F1 5 G0 G1 6)
    (A0 A1 0 B0 B1 1 C0 C1 2 D0 D1 3 E0 E1 4 F0 F1 5 G0 G1 6 H0 H1 7)
}

/// Options of [`SummaryWriter::add_hparams_with`] under PyTorch's names.
#[derive(Clone, Debug, Default)]
pub struct HParamsOptions {
    domains: Vec<(String, Vec<HParam>)>,
    run_name: Option<String>,
    global_step: Option<i64>,
}

impl HParamsOptions {
    /// The values that the hyperparameter `name` can have; given again, the next one's. Default: not said.
    #[must_use]
    pub fn hparam_domain_discrete<V: Into<HParam>>(
        mut self,
        name: impl Into<String>,
        values: impl IntoIterator<Item = V>,
    ) -> Self {
        self.domains.push((name.into(), values.into_iter().map(Into::into).collect()));
        self
    }

    /// The name of the run's folder in `log_dir`. Default: the present time in seconds.
    #[must_use]
    pub fn run_name(mut self, name: impl Into<String>) -> Self {
        self.run_name = Some(name.into());
        self
    }

    /// The step. Default: none.
    #[track_caller]
    #[must_use]
    pub fn global_step(mut self, step: impl OptInt) -> Self {
        self.global_step = step.to_option();
        self
    }
}

/// `HParamInfo` of a hyperparameter: its name, its type, the values that it can have.
#[track_caller]
fn info(name: &str, value: &HParam, domains: &[(String, Vec<HParam>)]) -> Message {
    let kind = if matches!(value, HParam::Text(_)) { 1 } else { 3 };
    let info = Message::new().bytes(1, name).int(4, kind);
    let Some((_, domain)) = domains.iter().rfind(|(of, _)| of == name) else { return info };
    info.message(5, Message::new().messages(1, domain.iter().map(HParam::proto)))
}

/// `Summary.Value` of the plugin's data.
fn value(tag: &str, content: Message) -> Message {
    Message::new().bytes(1, format!("_hparams_/{tag}")).message(9, metadata("hparams", content))
}

impl SummaryWriter {
    /// Adds the hyperparameters of a run and what came of them, each run in a folder of its own, so that TensorBoard compares them:
    /// `writer.add_hparams(hparam_dict, metric_dict)`. The metrics should have names that no scalar has.
    ///
    /// ```
    /// # use torch::utils::tensorboard::SummaryWriter;
    /// # let folder = std::env::temp_dir().join(format!("flambeau-hparams-{}", std::process::id()));
    /// # let writer = SummaryWriter::with(|o| o.log_dir(&folder))?;
    /// for i in 0..3 {
    ///     let hparams = (("lr", 0.1 * f64::from(i)), ("bsize", i), ("optimizer", "adam"));
    ///     writer.add_hparams(hparams, [("hparam/accuracy", 10 * i), ("hparam/loss", 20 * i)]);
    /// }
    /// # writer.close()?;
    /// # std::fs::remove_dir_all(folder).unwrap();
    /// # Ok::<(), torch::utils::tensorboard::Error>(())
    /// ```
    ///
    /// # Panics
    /// When a metric has several elements.
    #[track_caller]
    pub fn add_hparams<K: AsRef<str>, V: Values>(
        &self,
        hparams: impl HParams,
        metrics: impl IntoIterator<Item = (K, V)>,
    ) {
        self.add_hparams_with(hparams, metrics, |o| o);
    }

    /// [`SummaryWriter::add_hparams`] with PyTorch's keywords: `hparam_domain_discrete`, `run_name`, `global_step`.
    ///
    /// # Panics
    /// When a metric has several elements, or a domain is of another type than the hyperparameter.
    #[track_caller]
    pub fn add_hparams_with<K: AsRef<str>, V: Values>(
        &self,
        hparams: impl HParams,
        metrics: impl IntoIterator<Item = (K, V)>,
        options: impl FnOnce(HParamsOptions) -> HParamsOptions,
    ) {
        let o = options(HParamsOptions::default());
        let hparams = hparams.hparams();
        for (name, domain) in &o.domains {
            let own = hparams.iter().rfind(|(of, _)| of == name).map(|(_, value)| std::mem::discriminant(value));
            assert!(
                own.is_some_and(|own| domain.iter().all(|value| std::mem::discriminant(value) == own)),
                "parameter: hparam_domain_discrete[{name}] should be a list of same type as hparam_dict[{name}]."
            );
        }
        let given = || hparams.iter().filter(|(_, value)| *value != HParam::None);
        let metrics: Vec<(String, f64)> =
            metrics.into_iter().map(|(name, value)| (name.as_ref().to_owned(), value.numbers().only())).collect();
        let infos = given().map(|(name, value)| info(name, value, &o.domains));
        let names = metrics.iter().map(|(name, _)| Message::new().message(1, Message::new().bytes(2, name)));
        let experiment = Message::new().messages(4, infos).messages(5, names);
        let pairs = given().map(|(name, value)| Message::new().bytes(1, name).message(2, value.proto()));
        let start = Message::new().messages(1, pairs);
        let end = Message::new().int(1, 1);

        let run = o.run_name.filter(|name| !name.is_empty());
        let folder = self.log_dir().join(run.unwrap_or_else(|| format!("{:.7}", crate::names::now())));
        let writer = match SummaryWriter::with(|w| w.log_dir(folder)) {
            Ok(writer) => writer,
            Err(error) => return self.note(Err(error)),
        };
        for (tag, content) in [
            ("experiment", Message::new().message(2, experiment)),
            ("session_start_info", Message::new().message(3, start)),
            ("session_end_info", Message::new().message(4, end)),
        ] {
            writer.add_summary([value(tag, content)], o.global_step, None);
        }
        for (name, value) in metrics {
            writer.add_scalar(&name, value, o.global_step);
        }
        self.note(writer.close());
    }
}
