//! What modules take and give: tensors, numbers, and options, lists and tuples of them.

use super::{Buffer, Parameter, Value};
use flambeau_autograd::{AsTensor, Tensor};

/// What a module's `forward` may give. Tensors, options, vectors and tuples of them, numbers and `()` are outputs; for a
/// struct of your own write `impl nn::Output for Prediction {}`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the output of a module",
    note = "outputs are tensors, numbers, `Option`, `Vec` and tuples of them; for your own type: `impl nn::Output for {Self} {{}}`"
)]
pub trait Output: Sized + 'static {
    /// The output as hooks of any module see it. A type of its own is [`Value::Other`] to them, if it says nothing else.
    fn to_value(&self) -> Value {
        Value::Other
    }

    /// The output that a hook of any module gave back; `None` where it cannot be one.
    fn from_value(_value: Value) -> Option<Self> {
        None
    }

    /// [`Output::from_value`] in place of this one, which keeps what a hook of any module does not see of it.
    fn with_value(&self, value: Value) -> Option<Self> {
        Self::from_value(value)
    }
}

/// What a module's `forward` may take. `forward` gets it borrowed, as [`Input::Ref`]: a tensor as `&Tensor`, a tuple as a
/// tuple of borrowed parts, an option as an option of a borrowed value, numbers as they are.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the input of a module",
    note = "inputs are tensors, numbers, `Option`, `Vec` and tuples of them; for your own type: `impl nn::Input for {Self}`"
)]
pub trait Input: Output {
    /// The input as `forward` gets it.
    type Ref<'a>: Copy;

    /// Lends the input.
    fn borrow(&self) -> Self::Ref<'_>;

    /// An input of the same values, tensors by handle: what hooks are shown.
    fn keep(input: Self::Ref<'_>) -> Self;
}

/// What a caller may write for an input: tensors owned or borrowed (also parameters), options of them (`None`, `&option`,
/// `option.as_ref()`), tuples that mix owned and borrowed parts.
#[diagnostic::on_unimplemented(
    message = "a module that takes `{In}` cannot be called with `{Self}`",
    label = "expected `{In}`, owned or borrowed"
)]
pub trait Arg<In: Input> {
    /// The argument as `forward` gets it.
    fn arg(&self) -> In::Ref<'_>;
}

/// [`Arg`] for an optional input of a `call` with several arguments: also the bare value.
#[diagnostic::on_unimplemented(
    message = "an optional `{In}` cannot be `{Self}`",
    label = "expected a value, `None`, `&Option<…>` or `Option<&…>`"
)]
pub trait OptArg<In: Input> {
    /// The argument as `forward` gets it.
    fn opt_arg(&self) -> Option<In::Ref<'_>>;
}

impl Output for Tensor {
    fn to_value(&self) -> Value {
        Value::Tensor(self.shallow_clone())
    }
    fn from_value(value: Value) -> Option<Self> {
        if let Value::Tensor(tensor) = value { Some(tensor) } else { None }
    }
}

impl Input for Tensor {
    type Ref<'a> = &'a Tensor;
    #[inline]
    fn borrow(&self) -> &Tensor {
        self
    }
    fn keep(input: &Tensor) -> Tensor {
        input.shallow_clone()
    }
}

impl<T: AsTensor> Arg<Tensor> for T {
    #[inline]
    fn arg(&self) -> &Tensor {
        self.as_tensor()
    }
}

macro_rules! optional_tensors {
    ($($t:ty)*) => {$(
        impl OptArg<Tensor> for $t {
            #[inline]
            fn opt_arg(&self) -> Option<&Tensor> {
                Some(self.as_tensor())
            }
        }
    )*};
}
optional_tensors!(Tensor &Tensor &&Tensor Parameter &Parameter Buffer &Buffer);

impl Output for () {
    fn to_value(&self) -> Value {
        Value::None
    }
    fn from_value(value: Value) -> Option<Self> {
        matches!(value, Value::None).then_some(())
    }
}

macro_rules! plain {
    ($($t:ty: $kind:ident as $as:ty;)*) => {$(
        impl Output for $t {
            fn to_value(&self) -> Value {
                Value::$kind(*self as $as)
            }
            fn from_value(value: Value) -> Option<Self> {
                if let Value::$kind(x) = value { Some(x as $t) } else { None }
            }
        }
        impl Input for $t {
            type Ref<'a> = $t;
            #[inline]
            fn borrow(&self) -> $t {
                *self
            }
            fn keep(input: $t) -> $t {
                input
            }
        }
        impl Arg<$t> for $t {
            #[inline]
            fn arg(&self) -> $t {
                *self
            }
        }
    )*};
}
plain! {
    bool: Bool as bool;
    usize: Int as i64;
    i64: Int as i64;
    f64: Float as f64;
}

impl Output for String {
    fn to_value(&self) -> Value {
        Value::Str(self.clone())
    }
    fn from_value(value: Value) -> Option<Self> {
        if let Value::Str(text) = value { Some(text) } else { None }
    }
}

impl Input for String {
    type Ref<'a> = &'a str;
    fn borrow(&self) -> &str {
        self
    }
    fn keep(input: &str) -> String {
        input.to_owned()
    }
}

impl Arg<String> for &str {
    fn arg(&self) -> &str {
        self
    }
}

impl Arg<String> for &String {
    fn arg(&self) -> &str {
        self
    }
}

impl<T: Output> Output for Option<T> {
    fn to_value(&self) -> Value {
        self.as_ref().map_or(Value::None, T::to_value)
    }
    fn from_value(value: Value) -> Option<Self> {
        match value {
            Value::None => Some(None),
            value => T::from_value(value).map(Some),
        }
    }
}

impl<T: Input> Input for Option<T> {
    type Ref<'a> = Option<T::Ref<'a>>;
    #[inline]
    fn borrow(&self) -> Option<T::Ref<'_>> {
        self.as_ref().map(T::borrow)
    }
    fn keep(input: Option<T::Ref<'_>>) -> Self {
        input.map(T::keep)
    }
}

// One by value, so that a bare `None` has a type.
impl<X: Input> Arg<Option<X>> for Option<&X> {
    #[inline]
    fn arg(&self) -> Option<X::Ref<'_>> {
        self.map(X::borrow)
    }
}

impl<X: Input, A: Arg<X>> Arg<Option<X>> for &Option<A> {
    #[inline]
    fn arg(&self) -> Option<X::Ref<'_>> {
        self.as_ref().map(A::arg)
    }
}

impl<X: Input> OptArg<X> for Option<&X> {
    #[inline]
    fn opt_arg(&self) -> Option<X::Ref<'_>> {
        self.map(X::borrow)
    }
}

impl<X: Input, A: Arg<X>> OptArg<X> for &Option<A> {
    #[inline]
    fn opt_arg(&self) -> Option<X::Ref<'_>> {
        self.as_ref().map(A::arg)
    }
}

impl<T: Output> Output for Vec<T> {
    fn to_value(&self) -> Value {
        Value::List(self.iter().map(T::to_value).collect())
    }
    fn from_value(value: Value) -> Option<Self> {
        if let Value::List(items) = value { items.into_iter().map(T::from_value).collect() } else { None }
    }
}

impl<T: Input> Input for Vec<T> {
    type Ref<'a> = &'a [T];
    #[inline]
    fn borrow(&self) -> &[T] {
        self
    }
    fn keep(input: &[T]) -> Self {
        input.iter().map(|x| T::keep(x.borrow())).collect()
    }
}

impl<T: Input> Arg<Vec<T>> for Vec<T> {
    #[inline]
    fn arg(&self) -> &[T] {
        self
    }
}

impl<T: Input> Arg<Vec<T>> for &Vec<T> {
    #[inline]
    fn arg(&self) -> &[T] {
        self
    }
}

impl<T: Input> Arg<Vec<T>> for &[T] {
    #[inline]
    fn arg(&self) -> &[T] {
        self
    }
}

macro_rules! tuples {
    ($($($input:ident $arg:ident $i:tt)+;)*) => {$(
        impl<$($input: Output),+> Output for ($($input,)+) {
            fn to_value(&self) -> Value {
                Value::Tuple(vec![$(self.$i.to_value()),+])
            }
            fn from_value(value: Value) -> Option<Self> {
                let Value::Tuple(parts) = value else { return None };
                if parts.len() != [$($i),+].len() {
                    return None;
                }
                let mut parts = parts.into_iter();
                Some(($($input::from_value(parts.next()?)?,)+))
            }
        }

        impl<$($input: Input),+> Input for ($($input,)+) {
            type Ref<'a> = ($($input::Ref<'a>,)+);
            #[inline]
            fn borrow(&self) -> Self::Ref<'_> {
                ($(self.$i.borrow(),)+)
            }
            fn keep(input: Self::Ref<'_>) -> Self {
                ($($input::keep(input.$i),)+)
            }
        }

        impl<$($input: Input, $arg: Arg<$input>),+> Arg<($($input,)+)> for ($($arg,)+) {
            #[inline]
            fn arg(&self) -> <($($input,)+) as Input>::Ref<'_> {
                ($(self.$i.arg(),)+)
            }
        }

        impl<$($input: Input, $arg: Arg<$input>),+> Arg<($($input,)+)> for &($($arg,)+) {
            #[inline]
            fn arg(&self) -> <($($input,)+) as Input>::Ref<'_> {
                ($(self.$i.arg(),)+)
            }
        }

        impl<$($input: Input, $arg: Arg<$input>),+> OptArg<($($input,)+)> for ($($arg,)+) {
            #[inline]
            fn opt_arg(&self) -> Option<<($($input,)+) as Input>::Ref<'_>> {
                Some(($(self.$i.arg(),)+))
            }
        }

        impl<$($input: Input, $arg: Arg<$input>),+> OptArg<($($input,)+)> for &($($arg,)+) {
            #[inline]
            fn opt_arg(&self) -> Option<<($($input,)+) as Input>::Ref<'_>> {
                Some(($(self.$i.arg(),)+))
            }
        }
    )*};
}
tuples! {
    A A1 0;
    A A1 0 B B1 1;
    A A1 0 B B1 1 C C1 2;
    A A1 0 B B1 1 C C1 2 D D1 3;
    A A1 0 B B1 1 C C1 2 D D1 3 E E1 4;
    A A1 0 B B1 1 C C1 2 D D1 3 E E1 4 F F1 5;
    A A1 0 B B1 1 C C1 2 D D1 3 E E1 4 F F1 5 G G1 6;
    A A1 0 B B1 1 C C1 2 D D1 3 E E1 4 F F1 5 G G1 6 H H1 7;
}
