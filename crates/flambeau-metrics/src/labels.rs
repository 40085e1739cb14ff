//! Predictions and targets of classes, brought into one form.

use crate::metric::same_shape;
use flambeau_autograd::Tensor;

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
        let targets = ints(target);
        zeros_and_ones("target", &targets, self.ignore_index);
        let decided = match self.ignore_index {
            Some(index) if self.ignore_first => {
                let kept = target.flatten(0).ne(index);
                self.decide(&preds.flatten(0).masked_select(&kept))
            }
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
        let targets = ints(target);
        zeros_and_ones("target", &targets, self.ignore_index);
        let inner: usize = preds.size()[2..].iter().product();
        let all = self.decide(preds).into_iter().zip(targets).enumerate();
        let kept = all.filter(|(_, (_, t))| self.kept(*t));
        kept.map(|(i, (p, t))| Pair { label: i / inner % n, pred: p as usize, target: t as usize }).collect()
    }

    #[track_caller]
    fn multiclass(&self, preds: &Tensor, target: &Tensor, n: usize) -> Vec<Pair> {
        let (ranks, targets) = (preds.dim() == target.dim() + 1, ints(target));
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
            (false, _) => ints(preds),
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
