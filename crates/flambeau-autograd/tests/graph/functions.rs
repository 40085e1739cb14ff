//! Functions of a user's own.

use crate::{Case, Seen, backward, backward_kept, flag, grad_of, gradient, leaf, name, show, show_option, x3};
use flambeau_autograd::{Function, FunctionCtx, Result, Tensor, from_vec, grad, no_grad, ones, tensor};
use flambeau_tensor::DType;
use std::cell::RefCell;

pub(crate) struct MyReLU;

impl Function for MyReLU {
    type Inputs = Tensor;
    type Outputs = Tensor;
    type GradOutputs = Tensor;
    type GradInputs = Tensor;

    fn forward(ctx: &mut FunctionCtx, x: Tensor) -> Tensor {
        ctx.save_for_backward([&x]);
        x.clamp_min(0)
    }

    fn backward(ctx: &FunctionCtx, grad: Tensor) -> Tensor {
        let [x] = ctx.saved_tensors();
        grad * x.gt(0)
    }
}

struct Cube;

impl Function for Cube {
    type Inputs = Tensor;
    type Outputs = Tensor;
    type GradOutputs = Tensor;
    type GradInputs = Tensor;

    fn forward(ctx: &mut FunctionCtx, x: Tensor) -> Tensor {
        ctx.save_for_backward([&x]);
        x.pow(3)
    }

    fn backward(ctx: &FunctionCtx, grad: Tensor) -> Tensor {
        let [x] = ctx.saved_tensors();
        grad * 3 * x.pow(2)
    }
}

pub(crate) struct MyExp;

impl Function for MyExp {
    type Inputs = Tensor;
    type Outputs = Tensor;
    type GradOutputs = Tensor;
    type GradInputs = Tensor;

    fn forward(ctx: &mut FunctionCtx, x: Tensor) -> Tensor {
        let y = x.exp();
        ctx.save_for_backward([&y]);
        y
    }

    fn backward(ctx: &FunctionCtx, grad: Tensor) -> Tensor {
        let [y] = ctx.saved_tensors();
        grad * y
    }
}

struct Once;

impl Function for Once {
    type Inputs = Tensor;
    type Outputs = Tensor;
    type GradOutputs = Tensor;
    type GradInputs = Tensor;
    const ONCE_DIFFERENTIABLE: bool = true;

    fn forward(ctx: &mut FunctionCtx, x: Tensor) -> Tensor {
        ctx.save_for_backward([&x]);
        &x * &x
    }

    fn backward(ctx: &FunctionCtx, grad: Tensor) -> Tensor {
        let [x] = ctx.saved_tensors();
        grad * 2 * x
    }
}

thread_local! {
    /// What `Bad` returns as gradients, and what it was called with.
    static RETURNED: RefCell<Vec<Option<Tensor>>> = const { RefCell::new(Vec::new()) };
    static SEEN: RefCell<Seen> = RefCell::default();
}

fn seen() -> Seen {
    SEEN.with_borrow(Seen::clone)
}

/// What is odd about a `Bad`.
mod kind {
    pub(crate) const DOUBLES: u8 = 0;
    pub(crate) const RETURNS: u8 = 1;
    pub(crate) const NO_MATERIALIZED: u8 = 2;
    pub(crate) const NONE: u8 = 3;
    pub(crate) const TWO: u8 = 4;
    pub(crate) const TWO_NO_MATERIALIZED: u8 = 5;
    pub(crate) const SOME_NON_DIFFERENTIABLE: u8 = 6;
    pub(crate) const DIRTY: u8 = 7;
    pub(crate) const DIRTY_NOT_RETURNED: u8 = 8;
    pub(crate) const DIRTY_AND_ANOTHER: u8 = 9;
    pub(crate) const WRITES: u8 = 10;
    pub(crate) const VIEWS: u8 = 11;
    pub(crate) const PASSES: u8 = 12;
    pub(crate) const SEVERAL_VIEWS: u8 = 13;
    pub(crate) const WANTS_ATTRIBUTE: u8 = 14;
    pub(crate) const SAVES_NONE: u8 = 15;
    pub(crate) const UNPACKS_ONE: u8 = 16;
    pub(crate) const UNPACKS_THREE: u8 = 17;
    pub(crate) const SUMS: u8 = 18;
    pub(crate) const DIRTY_SECOND: u8 = 19;
}
use kind::*;

/// A function that does what its kind says.
struct Bad<const KIND: u8>;

impl<const KIND: u8> Function for Bad<KIND> {
    type Inputs = Vec<Tensor>;
    type Outputs = Vec<Tensor>;
    type GradOutputs = Vec<Option<Tensor>>;
    type GradInputs = Vec<Option<Tensor>>;

    fn forward(ctx: &mut FunctionCtx, inputs: Vec<Tensor>) -> Vec<Tensor> {
        let x = &inputs[0];
        ctx.set_materialize_grads(!matches!(KIND, NO_MATERIALIZED | TWO_NO_MATERIALIZED));
        match KIND {
            TWO | TWO_NO_MATERIALIZED => vec![x * 2, x * 3],
            SOME_NON_DIFFERENTIABLE => {
                let order = x.argsort_dim(0, false);
                let values = x.i(&order);
                ctx.mark_non_differentiable([&order, &values]);
                vec![order, values, x * 2]
            }
            DIRTY => {
                ctx.mark_dirty([x]);
                vec![x.mul_(2)]
            }
            DIRTY_SECOND => {
                let b = &inputs[1];
                ctx.mark_dirty([b]);
                ctx.save_for_backward([x, &b.clone()]);
                vec![b.mul_(x)]
            }
            DIRTY_NOT_RETURNED => {
                ctx.mark_dirty([x]);
                x.mul_(2);
                vec![x * 1]
            }
            DIRTY_AND_ANOTHER => {
                ctx.mark_dirty([x]);
                x.mul_(2);
                vec![x.shallow_clone(), x * 1]
            }
            WRITES => vec![x.mul_(2)],
            VIEWS => vec![x.view(-1)],
            PASSES => vec![x.shallow_clone()],
            SEVERAL_VIEWS => vec![x.view(-1), x * 1],
            SAVES_NONE => {
                ctx.save_for_backward([Some(x), None]);
                vec![x * 1]
            }
            UNPACKS_ONE | UNPACKS_THREE => {
                ctx.save_for_backward([x, x]);
                vec![x * 1]
            }
            SUMS => {
                ctx.set("count", inputs.len());
                vec![inputs[1..].iter().fold(x.shallow_clone(), |sum, x| sum + x)]
            }
            _ => vec![x * 2],
        }
    }

    fn backward(ctx: &FunctionCtx, grads: Vec<Option<Tensor>>) -> Vec<Option<Tensor>> {
        let g = grads[0].as_ref().map(Tensor::shallow_clone);
        match KIND {
            DOUBLES | DIRTY => vec![g.map(|g| g * 2)],
            DIRTY_SECOND => {
                let ([a, b], g) = (ctx.saved_tensors(), g.unwrap());
                vec![Some(&g * b), Some(g * a)]
            }
            RETURNS => RETURNED.take(),
            NONE => vec![None],
            TWO | TWO_NO_MATERIALIZED => {
                let both: Vec<String> = grads.iter().map(|g| show_option(g.as_ref())).collect();
                seen().add(both.join(" "));
                match &grads[1] {
                    Some(h) => vec![Some(g.unwrap() * 2 + h * 3)],
                    None => vec![Some(g.unwrap() * 2)],
                }
            }
            SOME_NON_DIFFERENTIABLE => {
                let all: Vec<String> = grads.iter().map(|g| show_option(g.as_ref())).collect();
                seen().add(all.join(" "));
                vec![grads.into_iter().nth(2).unwrap()]
            }
            PASSES => vec![g.map(|g| g * 5)],
            WANTS_ATTRIBUTE => {
                let _ = ctx.get::<f64>("alpha");
                vec![g]
            }
            SAVES_NONE => {
                let all: Vec<&str> = ctx.saved_list().iter().map(|t| flag(t.is_some())).collect();
                seen().add(all.join(" "));
                vec![g]
            }
            UNPACKS_ONE => {
                let [_x] = ctx.saved_tensors();
                vec![g]
            }
            UNPACKS_THREE => {
                let [_x, _y, _z] = ctx.saved_tensors();
                vec![g]
            }
            SUMS => (0..*ctx.get::<usize>("count")).map(|i| g.as_ref().map(|g| g * i as i64)).collect(),
            NO_MATERIALIZED => {
                seen().add(if g.is_some() { "tensor" } else { "None" });
                vec![g]
            }
            _ => vec![g],
        }
    }
}

/// Notes with what it is called.
struct Materializes;

impl Function for Materializes {
    type Inputs = Tensor;
    type Outputs = Tensor;
    type GradOutputs = Tensor;
    type GradInputs = Tensor;

    fn forward(_: &mut FunctionCtx, x: Tensor) -> Tensor {
        x * 2
    }

    fn backward(_: &FunctionCtx, grad: Tensor) -> Tensor {
        seen().add("tensor");
        grad
    }
}

mod with_number {
    use super::*;

    /// A `Bad` of a tensor and a number.
    pub(crate) struct Bad;

    impl Function for Bad {
        type Inputs = (Tensor, f64);
        type Outputs = Tensor;
        type GradOutputs = Tensor;
        type GradInputs = Vec<Option<Tensor>>;

        fn forward(_: &mut FunctionCtx, (x, _): (Tensor, f64)) -> Tensor {
            x * 2
        }

        fn backward(_: &FunctionCtx, _: Tensor) -> Vec<Option<Tensor>> {
            RETURNED.take()
        }
    }
}

struct Scale;

impl Function for Scale {
    type Inputs = (Tensor, f64, String);
    type Outputs = Tensor;
    type GradOutputs = Tensor;
    type GradInputs = (Tensor, Option<Tensor>, Option<Tensor>);

    fn forward(ctx: &mut FunctionCtx, (x, alpha, label): Self::Inputs) -> Tensor {
        ctx.set("alpha", alpha);
        ctx.set("label", label);
        x * alpha
    }

    fn backward(ctx: &FunctionCtx, grad: Tensor) -> Self::GradInputs {
        let label: &String = ctx.get("label");
        (grad * *ctx.get::<f64>("alpha") * label.len() as i64, None, None)
    }
}

struct Needs;

fn needed(ctx: &FunctionCtx) -> String {
    (0..3).map(|i| flag(ctx.needs_input_grad(i))).collect()
}

impl Function for Needs {
    type Inputs = (Tensor, Tensor, i64);
    type Outputs = Tensor;
    type GradOutputs = Tensor;
    type GradInputs = (Tensor, Tensor, Option<Tensor>);

    fn forward(ctx: &mut FunctionCtx, (a, b, s): Self::Inputs) -> Tensor {
        seen().add(needed(ctx));
        a * b * s
    }

    fn backward(ctx: &FunctionCtx, grad: Tensor) -> Self::GradInputs {
        seen().add(needed(ctx));
        (grad.shallow_clone(), grad, None)
    }
}

fn bad<const KIND: u8>(x: &Tensor) -> Tensor {
    Bad::<KIND>::apply([x.shallow_clone()].into_iter().collect::<Vec<_>>()).remove(0)
}

fn relu_print() -> Result<String> {
    Ok(MyReLU::apply(tensor([1.0, -2.0]).requires_grad_(true)).to_string())
}

fn relu_gradient() -> Result<String> {
    let x = x3();
    let y = MyReLU::apply(&x);
    y.backward_with(|o| o.gradient(leaf(&[1.0, 2.0, 3.0]).detach()));
    Ok(format!("{} {}", gradient(&x), y.grad_fn().unwrap().next_functions().count()))
}

fn cube_twice() -> Result<String> {
    let x = x3();
    let first = grad_of(&Cube::apply(&x), &x, true)?;
    let second = grad_of(&first, &x, true)?;
    let third = grad_of(&second, &x, false)?;
    Ok(show(&[&first, &second, &third]))
}

fn exp_twice() -> Result<String> {
    let x = x3();
    let first = grad_of(&MyExp::apply(&x), &x, true)?;
    let second = grad_of(&first, &x, false)?;
    Ok(show(&[&first, &second]))
}

fn not_recorded() -> Result<String> {
    let y = MyReLU::apply(x3().detach());
    let z = {
        let _guard = no_grad();
        MyReLU::apply(x3())
    };
    Ok(format!("{}{}{}", flag(y.requires_grad()), flag(z.requires_grad()), show(&[&y, &z])))
}

fn backward_twice() -> Result<String> {
    let y = MyReLU::apply(x3()).sum();
    backward(&y)?;
    backward(&y)?;
    Ok(String::new())
}

fn backward_twice_without_saved() -> Result<String> {
    let x = x3();
    let y = bad::<DOUBLES>(&x).sum();
    backward(&y)?;
    backward(&y)?;
    Ok(gradient(&x))
}

fn input_modified() -> Result<String> {
    let z = x3() * 1;
    let y = MyReLU::apply(&z);
    z.add_(1);
    backward(&y.sum())?;
    Ok(String::new())
}

fn output_modified() -> Result<String> {
    let y = MyExp::apply(x3());
    y.add_(1);
    backward(&y.sum())?;
    Ok(String::new())
}

fn output_of_a_function_modified() -> Result<String> {
    let y = MyReLU::apply(x3());
    let z = y.exp() + y.sin();
    y.detach().add_(1);
    backward(&z.sum())?;
    Ok(String::new())
}

fn returned(gradients: Vec<Option<Tensor>>) -> Result<String> {
    let x = x3();
    RETURNED.set(gradients);
    backward(&bad::<RETURNS>(&x).sum())?;
    Ok(gradient(&x))
}

fn returned_with_number(gradients: Vec<Option<Tensor>>) -> Result<String> {
    let x = x3();
    RETURNED.set(gradients);
    backward(&with_number::Bad::apply((&x, 2)).sum())?;
    Ok(gradient(&x))
}

fn too_many_gradients() -> Result<String> {
    returned(vec![Some(ones(3)), Some(ones(3))])
}

fn too_many_gradients_of_none() -> Result<String> {
    returned(vec![Some(ones(3)), None])
}

fn too_few_gradients() -> Result<String> {
    returned_with_number(vec![Some(ones(3))])
}

fn gradient_of_a_number() -> Result<String> {
    returned_with_number(vec![Some(ones(3)), Some(ones(3))])
}

fn gradient_of_another_shape() -> Result<String> {
    returned(vec![Some(ones(2).double())])
}

fn gradient_that_is_summed() -> Result<String> {
    returned(vec![Some(ones([2, 3]).double())])
}

fn gradient_of_another_dtype() -> Result<String> {
    returned(vec![Some(ones(3) / 3)])
}

fn gradient_of_integers() -> Result<String> {
    returned(vec![Some(ones(3).to(DType::I64))])
}

fn gradient_of_none() -> Result<String> {
    returned(vec![None])
}

fn no_gradient_materialized() -> Result<String> {
    SEEN.take();
    let x = x3();
    backward(&bad::<NONE>(&Materializes::apply(&x)).sum())?;
    Ok(format!("{} {}", gradient(&x), seen().all(" ")))
}

fn no_gradient_as_none() -> Result<String> {
    SEEN.take();
    let x = x3();
    backward(&bad::<NONE>(&bad::<NO_MATERIALIZED>(&x)).sum())?;
    Ok(format!("{} {}", gradient(&x), seen().all(" ")))
}

fn two_outputs<const KIND: u8>() -> Result<String> {
    SEEN.take();
    let x = x3();
    let outs = Bad::<KIND>::apply(vec![x.shallow_clone()]);
    backward(&outs[0].sum())?;
    let same = std::sync::Arc::ptr_eq(&outs[0].grad_fn().unwrap(), &outs[1].grad_fn().unwrap());
    Ok(format!("{} {} {}", gradient(&x), seen().all(" "), flag(same)))
}

fn non_differentiable_outputs() -> Result<String> {
    SEEN.take();
    let outs = Bad::<SOME_NON_DIFFERENTIABLE>::apply(vec![x3()]);
    backward(&outs[2].sum())?;
    let flags: String = outs.iter().map(|t| flag(t.requires_grad())).collect();
    Ok(format!("{flags} {}", seen().all(" ")))
}

fn dirty_input() -> Result<String> {
    let x = x3();
    let z = &x * 1;
    let y = bad::<DIRTY>(&z);
    backward(&z.sum())?;
    Ok(format!("{} {}{}{}", gradient(&x), show(&[&z]), flag(y.is_same(&z)), name(&z)))
}

fn dirty_leaf() -> Result<String> {
    bad::<DIRTY>(&x3());
    Ok(String::new())
}

fn dirty_view() -> Result<String> {
    let x = x3();
    let z = &x * 1;
    let part = z.i(1..);
    bad::<DIRTY>(&part);
    let names = format!("{} {}", name(&part), name(&z));
    backward(&z.sum())?;
    Ok(format!("{} {} {names}", gradient(&x), show(&[&z])))
}

fn dirty_view_of_second_argument() -> Result<String> {
    let (x, w) = (x3(), leaf(&[5.0, 7.0]));
    let z = &x * 1;
    let part = z.i(1..);
    Bad::<DIRTY_SECOND>::apply(vec![w.shallow_clone(), part]);
    backward(&z.sum())?;
    Ok(format!("{} {} {}", gradient(&x), gradient(&w), show(&[&z])))
}

fn dirty_but_not_returned() -> Result<String> {
    bad::<DIRTY_NOT_RETURNED>(&(x3() * 1));
    Ok(String::new())
}

fn dirty_view_and_two_outputs() -> Result<String> {
    bad::<DIRTY_AND_ANOTHER>(&(x3() * 1).i(1..));
    Ok(String::new())
}

fn written_without_a_mark() -> Result<String> {
    let z = x3() * 1;
    let y = bad::<WRITES>(&z);
    Ok(format!("{}{} {}{}", flag(y.is_same(&z)), name(&y), name(&z), flag(y.is_view())))
}

fn view_as_output() -> Result<String> {
    bad::<VIEWS>(&(x3() * 1)).add_(1);
    Ok(String::new())
}

fn input_as_output() -> Result<String> {
    bad::<PASSES>(&(x3() * 1)).add_(1);
    Ok(String::new())
}

fn input_as_output_gradient() -> Result<String> {
    let x = x3();
    let y = bad::<PASSES>(&x);
    backward(&y.sum())?;
    Ok(format!("{}{}{}{}", gradient(&x), name(&y), flag(y.is_view()), flag(y.is_same(&x))))
}

fn base_of_a_view_modified() -> Result<String> {
    let b = x3() * 1;
    let y = bad::<VIEWS>(&b);
    b.add_(1);
    let _ = y * 2;
    Ok(String::new())
}

fn one_of_several_views() -> Result<String> {
    bad::<SEVERAL_VIEWS>(&(x3() * 1)).add_(1);
    Ok(String::new())
}

fn once() -> Result<String> {
    let x = x3();
    let g = grad_of(&Once::apply(&x), &x, true)?;
    Ok(show(&[&g]) + flag(g.requires_grad()))
}

fn once_differentiated_twice() -> Result<String> {
    let x = x3();
    let weights = leaf(&[1.0, 1.0, 1.0]);
    let g = grad(&[&Once::apply(&x)], &[&x], &[Some(&weights)], false, true, false)?.remove(0).unwrap();
    if !g.to_string().contains("<Error>") {
        return Ok(g.to_string());
    }
    backward(&g.sum())?;
    Ok(String::new())
}

fn attributes() -> Result<String> {
    let x = x3();
    backward(&Scale::apply((&x, 0.5, "abc")).sum())?;
    Ok(gradient(&x))
}

fn attribute_that_is_missing() -> Result<String> {
    backward(&bad::<WANTS_ATTRIBUTE>(&x3()).sum())?;
    Ok(String::new())
}

fn needs_input_grad() -> Result<String> {
    SEEN.take();
    let (x, w) = (x3(), x3());
    backward(&Needs::apply((&x, w.detach(), 2)).sum())?;
    grad(&[&Needs::apply((&x, &w, 2)).sum()], &[&x], &[None], false, false, false)?;
    let _guard = no_grad();
    Needs::apply((&x, &w, 2));
    Ok(seen().all(" "))
}

fn saved_none() -> Result<String> {
    SEEN.take();
    backward(&bad::<SAVES_NONE>(&x3()).sum())?;
    Ok(seen().all(" "))
}

fn too_many_values_to_unpack() -> Result<String> {
    backward(&bad::<UNPACKS_ONE>(&x3()).sum())?;
    Ok(String::new())
}

fn not_enough_values_to_unpack() -> Result<String> {
    backward(&bad::<UNPACKS_THREE>(&x3()).sum())?;
    Ok(String::new())
}

fn any_number_of_inputs() -> Result<String> {
    let xs: Vec<Tensor> = (0..4).map(|_| x3()).collect();
    let y = Bad::<SUMS>::apply(xs.iter().map(Tensor::shallow_clone).collect::<Vec<_>>()).remove(0);
    backward_kept(&y.sum())?;
    Ok(xs.iter().map(gradient).collect::<Vec<_>>().join(" "))
}

pub(crate) const CASES: &[(&str, Case)] = &[
    ("relu_print", relu_print),
    ("relu_gradient", relu_gradient),
    ("cube_twice", cube_twice),
    ("exp_twice", exp_twice),
    ("not_recorded", not_recorded),
    ("backward_twice", backward_twice),
    ("backward_twice_without_saved", backward_twice_without_saved),
    ("input_modified", input_modified),
    ("output_modified", output_modified),
    ("output_of_a_function_modified", output_of_a_function_modified),
    ("too_many_gradients", too_many_gradients),
    ("too_many_gradients_of_none", too_many_gradients_of_none),
    ("too_few_gradients", too_few_gradients),
    ("gradient_of_a_number", gradient_of_a_number),
    ("gradient_of_another_shape", gradient_of_another_shape),
    ("gradient_that_is_summed", gradient_that_is_summed),
    ("gradient_of_another_dtype", gradient_of_another_dtype),
    ("gradient_of_integers", gradient_of_integers),
    ("gradient_of_none", gradient_of_none),
    ("no_gradient_materialized", no_gradient_materialized),
    ("no_gradient_as_none", no_gradient_as_none),
    ("two_outputs_materialized", two_outputs::<TWO>),
    ("two_outputs_with_none", two_outputs::<TWO_NO_MATERIALIZED>),
    ("non_differentiable_outputs", non_differentiable_outputs),
    ("dirty_input", dirty_input),
    ("dirty_leaf", dirty_leaf),
    ("dirty_view", dirty_view),
    ("dirty_view_of_second_argument", dirty_view_of_second_argument),
    ("dirty_but_not_returned", dirty_but_not_returned),
    ("dirty_view_and_two_outputs", dirty_view_and_two_outputs),
    ("written_without_a_mark", written_without_a_mark),
    ("view_as_output", view_as_output),
    ("input_as_output", input_as_output),
    ("input_as_output_gradient", input_as_output_gradient),
    ("base_of_a_view_modified", base_of_a_view_modified),
    ("one_of_several_views", one_of_several_views),
    ("once", once),
    ("once_differentiated_twice", once_differentiated_twice),
    ("attributes", attributes),
    ("attribute_that_is_missing", attribute_that_is_missing),
    ("needs_input_grad", needs_input_grad),
    ("saved_none", saved_none),
    ("too_many_values_to_unpack", too_many_values_to_unpack),
    ("not_enough_values_to_unpack", not_enough_values_to_unpack),
    ("any_number_of_inputs", any_number_of_inputs),
];

/// Both derivatives of functions whose backward is written in operations, by finite differences.
#[test]
fn custom_functions_pass_gradcheck_twice() {
    let _turn = crate::turn();
    use flambeau_autograd::{GradCheckOptions, gradcheck, gradgradcheck};
    let inputs = [leaf(&[0.5, -1.5, 2.0])];
    type Run = fn(&[Tensor]) -> Result<Vec<Tensor>>;
    let functions: [Run; 4] = [
        |t| Ok(vec![Cube::apply(&t[0])]),
        |t| Ok(vec![MyExp::apply(&t[0])]),
        |t| Ok(Bad::<TWO>::apply(vec![t[0].shallow_clone()])),
        |t| Ok(vec![Scale::apply((&t[0], 0.25, "ab"))]),
    ];
    for (i, f) in functions[..2].iter().enumerate() {
        gradcheck(f, &inputs, GradCheckOptions::default()).unwrap_or_else(|e| panic!("{i}: {e}"));
        gradgradcheck(f, &inputs, GradCheckOptions::default()).unwrap_or_else(|e| panic!("{i}: {e}"));
    }
    // `TWO`'s gradients are right; those of `Scale` are not by the factor of the label's length, and are found out.
    gradcheck(&functions[2], &inputs, GradCheckOptions::default()).unwrap();
    let error = gradcheck(&functions[3], &inputs, GradCheckOptions::default()).unwrap_err();
    assert!(error.to_string().starts_with("Jacobian mismatch"), "{error}");
}

/// A function with an optional argument, as many are called in Python.
#[test]
fn optional_arguments_take_a_tensor_or_none() {
    let _turn = crate::turn();
    struct Affine;
    impl Function for Affine {
        type Inputs = (Tensor, Option<Tensor>);
        type Outputs = Tensor;
        type GradOutputs = Tensor;
        type GradInputs = (Tensor, Option<Tensor>);
        fn forward(_: &mut FunctionCtx, (x, bias): Self::Inputs) -> Tensor {
            match bias {
                Some(bias) => x + bias,
                None => x * 1,
            }
        }
        fn backward(ctx: &FunctionCtx, grad: Tensor) -> Self::GradInputs {
            let bias = ctx.needs_input_grad(1).then(|| grad.sum_dim(0, true));
            (grad, bias)
        }
    }
    let (x, bias) = (x3(), leaf(&[4.0]));
    backward(&Affine::apply((&x, &bias)).sum()).unwrap();
    assert_eq!(bias.grad().unwrap().to_vec::<f64>(), [3.0]);
    backward(&Affine::apply((&x, None::<Tensor>)).sum()).unwrap();
    assert_eq!(x.grad().unwrap().to_vec::<f64>(), [2.0; 3]);
}

/// What backward takes has to fit what forward returns.
#[test]
fn backward_takes_a_gradient_for_each_result() {
    let _turn = crate::turn();
    struct Two;
    impl Function for Two {
        type Inputs = Tensor;
        type Outputs = (Tensor, Tensor);
        type GradOutputs = Tensor;
        type GradInputs = Tensor;
        fn forward(_: &mut FunctionCtx, x: Tensor) -> Self::Outputs {
            (&x * 2, x * 3)
        }
        fn backward(_: &FunctionCtx, grad: Tensor) -> Tensor {
            grad
        }
    }
    let (a, _) = Two::apply(x3());
    let error = backward(&a.sum()).unwrap_err();
    assert_eq!(error.to_string(), "Two.backward() takes 2 positional arguments but 3 were given");
}

/// The gradient's memory is nobody else's, also where a function returns what it was given.
#[test]
fn gradients_of_a_function_share_no_memory() {
    let _turn = crate::turn();
    struct Identity;
    impl Function for Identity {
        type Inputs = (Tensor, Tensor);
        type Outputs = Tensor;
        type GradOutputs = Tensor;
        type GradInputs = (Tensor, Tensor);
        fn forward(_: &mut FunctionCtx, (x, w): Self::Inputs) -> Tensor {
            x + w
        }
        fn backward(_: &FunctionCtx, grad: Tensor) -> Self::GradInputs {
            (grad.shallow_clone(), grad)
        }
    }
    let (x, w) = (x3(), x3());
    backward(&Identity::apply((&x, &w)).sum()).unwrap();
    x.grad().unwrap().zero_();
    assert_eq!(w.grad().unwrap().to_vec::<f64>(), [1.0; 3]);
    let y = from_vec(vec![1.0, 2.0], [2]).requires_grad_(true);
    assert!(y.grad().is_none());
}
