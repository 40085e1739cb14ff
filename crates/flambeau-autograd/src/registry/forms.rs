//! Every panicking form of every operation is called so that it fails, and must name the line of the call.

use crate::ops::{NormOrder, Operand, RoundingMode};
use crate::{Tensor, ones, tensor};
use flambeau_tensor::random::Generator;
use flambeau_tensor::{DType, Device, Scalar};
use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, Location, catch_unwind, set_hook, take_hook};
use std::sync::Once;

/// A form as the tests call it.
pub struct Form {
    /// `add_with_`.
    pub name: &'static str,
    /// Whether it is a method of `Tensor`, and no function.
    pub is_method: bool,
    /// Where the call stands.
    pub file: &'static str,
    /// Its line: the name's in the declaration, which no form's body has.
    pub line: u32,
    /// Calls it.
    pub call: fn(&Given),
}

/// What a call's arguments are made of.
pub struct Given {
    /// The first tensor, the second, and so on; the last stands for all that follow.
    tensors: Vec<Tensor>,
    next: Cell<usize>,
    int: i64,
    float: f64,
    ints: &'static [i64],
    size: usize,
    sizes: &'static [usize],
}

impl Given {
    fn new(tensors: Vec<Tensor>, int: i64, ints: &'static [i64], sizes: &'static [usize]) -> Self {
        Given { tensors, next: Cell::new(0), int, float: int as f64, ints, size: sizes[0], sizes }
    }

    fn tensor(&self) -> &Tensor {
        let i = self.next.replace(self.next.get() + 1);
        &self.tensors[i.min(self.tensors.len() - 1)]
    }
}

/// An argument of this type for a call.
pub trait Sample<'a>: Sized {
    /// The argument.
    fn sample(given: &'a Given) -> Self;
}

macro_rules! samples {
    ($($t:ty: $given:ident => $value:expr;)*) => {$(
        impl<'a> Sample<'a> for $t {
            fn sample($given: &'a Given) -> Self { $value }
        }
    )*};
}

samples! {
    &'a Tensor: given => given.tensor();
    Option<&'a Tensor>: given => Some(given.tensor());
    &'a [&'a Tensor]: given => vec![given.tensor(), given.tensor()].leak();
    &'a [Option<&'a Tensor>]: given => vec![Some(given.tensor())].leak();
    Operand<'a>: given => Operand::Borrowed(given.tensor());
    Scalar: given => Scalar::Float(given.float);
    Option<Scalar>: given => Some(Scalar::Float(given.float));
    f64: given => given.float;
    Option<f64>: given => Some(given.float);
    i64: given => given.int;
    i32: given => given.int as i32;
    Option<i64>: given => Some(given.int);
    Option<(i64, i64)>: given => Some((given.int, given.int));
    usize: given => given.size;
    Option<usize>: given => Some(given.size);
    &'a [i64]: given => given.ints;
    Option<&'a [i64]>: given => Some(given.ints);
    &'a [usize]: given => given.sizes;
    &'a [Option<i64>]: given => given.ints.iter().copied().map(Some).collect::<Vec<_>>().leak();
    bool: _given => true;
    Option<bool>: _given => Some(true);
    &'a str: _given => "no such word";
    Option<&'a str>: _given => Some("no such word");
    DType: _given => DType::F32;
    Option<DType>: _given => None;
    Device: _given => Device::Wgpu(99);
    RoundingMode: _given => RoundingMode::Floor;
    Option<NormOrder>: given => Some(NormOrder::P(given.float));
    Option<&'a Generator>: _given => None;
    &'a Generator: _given => flambeau_device::default_generator(Device::Cpu).expect("the CPU's");
}

thread_local! {
    /// Where this thread panicked last; `None` outside of [`panics_at`].
    static AT: RefCell<Option<Option<(String, u32)>>> = const { RefCell::new(None) };
}

/// Where a call panics, if it does. Other threads' panics are printed as ever.
fn panics_at(call: impl FnOnce()) -> Option<(String, u32)> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let hook = take_hook();
        set_hook(Box::new(move |info| {
            let at = |l: &Location<'_>| (l.file().to_owned(), l.line());
            AT.with_borrow_mut(|last| match last {
                Some(last) => *last = info.location().map(at),
                None => hook(info),
            });
        }));
    });
    AT.set(Some(None));
    let result = catch_unwind(AssertUnwindSafe(call));
    let at = AT.take().flatten();
    result.err().and(at)
}

/// Forms that none of the calls makes fail: they make new tensors, or views, or have nothing to refuse.
#[rustfmt::skip]
const NEVER_FAIL: &[&str] = &[
    "atleast_1d", "atleast_2d", "atleast_3d", "conj", "conj_physical", "contiguous", "empty", "empty_like", "empty_like_with",
    "empty_with", "resolve_conj", "resolve_neg",
    // By their defaults they do nothing, or take every dimension.
    "alpha_dropout_with", "alpha_dropout_with_", "feature_alpha_dropout_with", "feature_alpha_dropout_with_", "flatten_with",
    "squeeze_with",
    "eye", "eye_m", "eye_m_with", "eye_with", "fill", "float", "full", "full_like",
    "full_like_with", "full_with", "linspace", "linspace_with", "new_empty", "new_empty_with", "new_full", "new_full_with",
    "new_ones", "new_ones_with", "new_zeros", "new_zeros_with", "ones", "ones_like", "ones_like_with", "ones_with",
    "rand", "rand_with", "randn", "randn_with", "randperm", "randperm_with", "squeeze", "t",
    "zeros", "zeros_like", "zeros_like_with", "zeros_with",
];

#[test]
fn every_form_panics_at_the_callers_line() {
    let (mut failing, mut wrong, mut silent) = (0, Vec::new(), BTreeSet::new());
    let forms: Vec<&Form> = crate::ops::FORMS.iter().flat_map(|f| f.iter()).flat_map(|f| f.iter()).collect();
    for form in &forms {
        let guarded = ones([2, 3]);
        let guard = guarded.as_slice_mut::<f32>();
        let leaf = ones([2, 3]).requires_grad_(true);
        let bools = tensor([[true, false, true], [false, true, true]]);
        // While somebody holds the memory nothing reads it; a leaf is not written to; the rest are wrong dims, shapes, dtypes.
        let calls = [
            Given::new(vec![guarded.shallow_clone()], 0, &[0], &[3]),
            Given::new(vec![guarded.shallow_clone()], 1, &[1, 1], &[2, 3]),
            Given::new(vec![leaf], 0, &[0], &[2, 3]),
            Given::new(vec![ones([2, 3]), ones([5, 7])], 99, &[-7, 99], &[99, 0]),
            Given::new(vec![ones([2, 3])], -99, &[-7], &[0]),
            Given::new(vec![bools.shallow_clone(), ones([2, 2, 2, 2, 2, 2, 2])], 99, &[99, 98], &[0]),
            Given::new(vec![bools], -99, &[-7, 99], &[7]),
            Given::new(vec![ones([2, 3]).sum()], 99, &[5, 5], &[7]),
        ];
        let found = calls.iter().find_map(|given| panics_at(|| (form.call)(given)));
        drop(guard);
        let kind = if form.is_method { "method" } else { "function" };
        match found {
            None => drop(silent.insert(form.name)),
            Some(at) if at == (form.file.to_owned(), form.line) => failing += 1,
            Some(at) => {
                wrong.push(format!("{} ({kind}) panics at {at:?}, not at {}:{}", form.name, form.file, form.line))
            }
        }
    }
    println!("count: {failing} forms of operations fail at the caller's line");
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), forms.len(), wrong.join("\n"));
    let excused: BTreeSet<&str> = NEVER_FAIL.iter().copied().collect();
    assert_eq!(silent, excused, "forms that no call makes fail");
    assert!(failing > 700, "{failing}");
}
