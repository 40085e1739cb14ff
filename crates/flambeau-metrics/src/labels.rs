//! Predictions and targets of classes, brought into one form.

use crate::metric::same_shape;
use flambeau_autograd::{Tensor, from_vec};
use flambeau_tensor::DType;

/// What kind of classes there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Task {
    /// Yes or no.
    Binary,
    /// One of so many classes.
    Multiclass(usize),
    /// So many labels, each yes or no.
    Multilabel(usize),
}

impl Task {
    #[track_caller]
    pub(crate) fn new(name: &str, num_classes: Option<i64>, num_labels: Option<i64>) -> Self {
        let missing =
            |what: &str| -> ! { panic!("`{what}` is expected to be `int` but `<class 'NoneType'> was passed.`") };
        match name {
            "binary" => Task::Binary,
            "multiclass" => {
                let n = num_classes.unwrap_or_else(|| missing("num_classes"));
                assert!(n >= 2, "Expected argument `num_classes` to be an integer larger than 1, but got {n}");
                Task::Multiclass(n as usize)
            }
            "multilabel" => {
                let n = num_labels.unwrap_or_else(|| missing("num_labels"));
                assert!(n >= 2, "Expected argument `num_labels` to be an integer larger than 1, but got {n}");
                Task::Multilabel(n as usize)
            }
            _ => panic!(
                "Invalid Classification: expected one of ['binary', 'multiclass', 'multilabel'], but got {name}."
            ),
        }
    }

    /// How many classes or labels there are.
    pub(crate) fn len(self) -> usize {
        match self {
            Task::Binary => 1,
            Task::Multiclass(n) | Task::Multilabel(n) => n,
        }
    }
}

/// A prediction beside its target: classes, or 0 and 1 of a label.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pair {
    /// Which label; 0 where there is one.
    pub(crate) label: usize,
    pub(crate) pred: usize,
    pub(crate) target: usize,
}

/// What decides how predictions are read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reading {
    pub(crate) task: Task,
    pub(crate) threshold: f64,
    pub(crate) top_k: usize,
    pub(crate) ignore_index: Option<i64>,
    /// Whether what is ignored has no say in whether predictions are logits: as in the confusion matrix of two classes.
    pub(crate) ignore_first: bool,
    /// Whether classes are compared as the numbers that they are, with their fractions: where all samples count alike.
    pub(crate) exact: bool,
}

/// Chances of logits; what lies between 0 and 1 are chances already.
pub(crate) fn chances(preds: &Tensor, softmax: bool) -> Tensor {
    let x = preds.detach().cpu();
    let inside = x.numel() == 0 || x.ge(0.0).logical_and(x.le(1.0)).all().item() != 0.0;
    match (inside, softmax) {
        (true, _) => x,
        (false, true) => x.softmax(1),
        (false, false) => x.sigmoid(),
    }
}

/// An ignored target in the targets' dtype, in which PyTorch compares: -1 is 255 of 8 bits without a sign.
fn in_dtype(index: i64, dtype: DType) -> i64 {
    match dtype {
        DType::U8 => i64::from(index as u8),
        DType::I8 => i64::from(index as i8),
        DType::I16 => i64::from(index as i16),
        DType::I32 => i64::from(index as i32),
        _ => index,
    }
}

/// Targets of any dtype; those that are ignored are `ignore_index` itself.
pub(crate) fn classes(target: &Tensor, ignore_index: Option<i64>) -> Vec<i64> {
    let mut targets = ints(target);
    if let Some(index) = ignore_index {
        let ignored = in_dtype(index, target.dtype());
        targets.iter_mut().filter(|t| **t == ignored).for_each(|t| *t = index);
    }
    targets
}

/// The elements of a list, or the rows of a matrix, whose targets are not ignored.
pub(crate) fn keep(preds: &Tensor, targets: &[i64], ignore_index: Option<i64>) -> Tensor {
    let kept: Vec<i64> = (0..).zip(targets).filter(|(_, t)| Some(**t) != ignore_index).map(|(i, _)| i).collect();
    let n = kept.len() as i64;
    preds.detach().cpu().index_select(0, &from_vec(kept, [n]))
}

pub(crate) fn ints(x: &Tensor) -> Vec<i64> {
    x.detach().cpu().long().to_vec()
}

/// Checks that there is nothing but zeros, ones and what is ignored.
#[track_caller]
pub(crate) fn zeros_and_ones(name: &str, x: &[i64], ignore_index: Option<i64>) {
    let wrong = x.iter().find(|&&x| x != 0 && x != 1 && Some(x) != ignore_index);
    if let Some(wrong) = wrong {
        let known = ignore_index.map_or("[0, 1]".to_owned(), |index| format!("[{index}]"));
        panic!("Detected the following values in `{name}`: {wrong} but expected only the following values {known}.");
    }
}

impl Reading {
    /// The pairs, without what is ignored.
    #[track_caller]
    pub(crate) fn pairs(&self, preds: &Tensor, target: &Tensor) -> Vec<Pair> {
        match self.task {
            Task::Binary => self.binary(preds, target),
            Task::Multiclass(n) => self.multiclass(preds, target, n),
            Task::Multilabel(n) => self.multilabel(preds, target, n),
        }
    }

    fn kept(&self, target: i64) -> bool {
        Some(target) != self.ignore_index
    }

    /// Zeros and ones of chances, logits or labels.
    #[track_caller]
    fn decide(&self, preds: &Tensor) -> Vec<i64> {
        if preds.dtype().is_floating_point() {
            return ints(&chances(preds, false).gt(self.threshold));
        }
        let labels = ints(preds);
        zeros_and_ones("preds", &labels, None);
        labels
    }

    #[track_caller]
    fn binary(&self, preds: &Tensor, target: &Tensor) -> Vec<Pair> {
        same_shape(preds, target);
        let targets = classes(target, self.ignore_index);
        zeros_and_ones("target", &targets, self.ignore_index);
        let decided = match self.ignore_index {
            Some(_) if self.ignore_first => self.decide(&keep(&preds.flatten(0), &targets, self.ignore_index)),
            _ => {
                let all = self.decide(preds).into_iter().zip(&targets);
                all.filter(|(_, t)| self.kept(**t)).map(|(p, _)| p).collect()
            }
        };
        let targets = targets.into_iter().filter(|&t| self.kept(t));
        decided.into_iter().zip(targets).map(|(p, t)| Pair { label: 0, pred: p as usize, target: t as usize }).collect()
    }

    #[track_caller]
    fn multilabel(&self, preds: &Tensor, target: &Tensor, n: usize) -> Vec<Pair> {
        same_shape(preds, target);
        assert!(
            preds.dim() >= 2 && preds.size_dim(1) == n,
            "Expected both `target.shape[1]` and `preds.shape[1]` to be equal to the number of labels"
        );
        let targets = classes(target, self.ignore_index);
        zeros_and_ones("target", &targets, self.ignore_index);
        let inner: usize = preds.size()[2..].iter().product();
        let all = self.decide(preds).into_iter().zip(targets).enumerate();
        let kept = all.filter(|(_, (_, t))| self.kept(*t));
        kept.map(|(i, (p, t))| Pair { label: i / inner % n, pred: p as usize, target: t as usize }).collect()
    }

    #[track_caller]
    fn multiclass(&self, preds: &Tensor, target: &Tensor, n: usize) -> Vec<Pair> {
        let (ranks, targets) = (preds.dim() == target.dim() + 1, classes(target, self.ignore_index));
        if ranks {
            check_scores(preds, target, n);
        } else {
            assert!(
                preds.dim() == target.dim(),
                "Either `preds` and `target` both should have the (same) shape (N, ...), or `target` should be (N, ...) and \
                 `preds` should be (N, C, ...)."
            );
            assert!(
                preds.size() == target.size(),
                "The `preds` and `target` should have the same shape, got `preds` with shape=torch.Size({:?}) and `target` with \
                 shape=torch.Size({:?}).",
                preds.size().to_vec(),
                target.size().to_vec()
            );
        }
        let best = match (ranks, self.top_k) {
            (true, 1) => ints(&preds.argmax_dim(1, false)),
            (true, k) => among_best(preds, &targets, n, k),
            (false, 1) if self.exact && preds.dtype().is_floating_point() => equal_classes(preds, &targets, n),
            (false, 1) => ints(preds),
            // There are no ranks among classes.
            (false, _) => panic!("selected index k out of range"),
        };
        let class = |name: &str, class: i64| match usize::try_from(class) {
            Ok(class) if class < n => class,
            _ => panic!("`{name}` has the class {class}, but there are {n} classes"),
        };
        let kept = best.into_iter().zip(targets).filter(|(_, t)| self.kept(*t));
        kept.map(|(p, t)| Pair { label: 0, pred: class("preds", p), target: class("target", t) }).collect()
    }
}

/// Checks scores (N, C, …) of targets (N, …).
#[track_caller]
pub(crate) fn check_scores(preds: &Tensor, target: &Tensor, n: usize) {
    assert!(
        preds.dtype().is_floating_point(),
        "If `preds` have one dimension more than `target`, `preds` should be a float tensor."
    );
    assert!(
        preds.size_dim(1) == n,
        "If `preds` have one dimension more than `target`, `preds.shape[1]` should be equal to number of classes."
    );
    let (p, t) = (preds.size(), target.size());
    assert!(
        p[2..] == t[1..] && p[0] == t[0],
        "If `preds` have one dimension more than `target`, the shape of `preds` should be (N, C, ...), and the shape of `target` \
         should be (N, ...)."
    );
}

/// The target where the number is equal to it, else some other class.
fn equal_classes(preds: &Tensor, targets: &[i64], n: usize) -> Vec<i64> {
    let numbers = preds.detach().cpu().double().to_vec::<f64>();
    let class = |(number, &target): (f64, &i64)| if number == target as f64 { target } else { (target + 1) % n as i64 };
    numbers.into_iter().zip(targets).map(class).collect()
}

/// The target where it is among the `k` best of the classes, else the best class.
fn among_best(preds: &Tensor, targets: &[i64], n: usize, k: usize) -> Vec<i64> {
    let inner: usize = preds.size()[2..].iter().product();
    let scores = preds.detach().cpu().double().to_vec::<f64>();
    let of = |(i, &target): (usize, &i64)| {
        let score = |class: usize| scores[(i / inner * n + class) * inner + i % inner];
        let mut classes: Vec<usize> = (0..n).collect();
        classes.sort_by(|&a, &b| score(b).total_cmp(&score(a)));
        let found = classes[..k].iter().any(|&class| class as i64 == target);
        if found { target } else { classes[0] as i64 }
    };
    targets.iter().enumerate().map(of).collect()
}
