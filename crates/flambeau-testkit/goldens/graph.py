"""Custom functions, saved-tensor hooks, checkpoints and hooks of tensors: what PyTorch computes and says.

    python crates/flambeau-testkit/goldens/graph.py

writes data/graph.jsonl.gz, which tests/graph of flambeau-autograd reads. Each case is a function here and one of the same name there; both give a text, or
fail with one.
"""
import contextlib
import pathlib
import sys
import warnings

import torch
from torch.autograd import Function, graph
from torch.autograd.function import once_differentiable
from torch.utils.checkpoint import checkpoint, checkpoint_sequential, set_checkpoint_early_stop

sys.dont_write_bytecode = True
import encode

CASES = []


def case(call):
    CASES.append(call)
    return call


def leaf(*values):
    return torch.tensor(values, dtype=torch.float64, requires_grad=True)


def x3():
    return leaf(1.0, -2.0, 3.0)


def show(*tensors):
    """Values with nine digits, of float32 with four, None as it is; a list for each tensor."""

    def one(t):
        digits = 4 if t.dtype == torch.float32 else 9
        return "[" + ", ".join(f"{v:.{digits}f}" for v in t.detach().flatten().tolist()) + "]"

    return " ".join("None" if t is None else one(t) for t in tensors)


def name(tensor):
    return tensor.grad_fn.name().removeprefix("torch::autograd::")


def flag(value):
    return "yes" if value else "no"


# Custom functions


class MyReLU(Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x.clamp(min=0)

    @staticmethod
    def backward(ctx, grad):
        (x,) = ctx.saved_tensors
        return grad * (x > 0)


class Cube(Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x**3

    @staticmethod
    def backward(ctx, grad):
        (x,) = ctx.saved_tensors
        return grad * 3 * x**2


class MyExp(Function):
    @staticmethod
    def forward(ctx, x):
        y = x.exp()
        ctx.save_for_backward(y)
        return y

    @staticmethod
    def backward(ctx, grad):
        (y,) = ctx.saved_tensors
        return grad * y


class Once(Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * x

    @staticmethod
    @once_differentiable
    def backward(ctx, grad):
        (x,) = ctx.saved_tensors
        return grad * 2 * x


def bad(backward, forward=lambda ctx, x, *rest: x * 2):
    """A function called Bad."""
    return type("Bad", (Function,), {"forward": staticmethod(forward), "backward": staticmethod(backward)})


@case
def relu_print():
    return str(MyReLU.apply(torch.tensor([1.0, -2.0], requires_grad=True)))


@case
def relu_gradient():
    x = x3()
    y = MyReLU.apply(x)
    y.backward(leaf(1.0, 2.0, 3.0).detach())
    return show(x.grad) + " " + str(len(y.grad_fn.next_functions))


@case
def cube_twice():
    x = x3()
    (first,) = torch.autograd.grad(Cube.apply(x).sum(), x, create_graph=True)
    (second,) = torch.autograd.grad(first.sum(), x, create_graph=True)
    (third,) = torch.autograd.grad(second.sum(), x)
    return show(first, second, third)


@case
def exp_twice():
    x = x3()
    (first,) = torch.autograd.grad(MyExp.apply(x).sum(), x, create_graph=True)
    (second,) = torch.autograd.grad(first.sum(), x)
    return show(first, second)


@case
def not_recorded():
    y = MyReLU.apply(x3().detach())
    with torch.no_grad():
        z = MyReLU.apply(x3())
    return flag(y.requires_grad) + flag(z.requires_grad) + show(y, z)


@case
def backward_twice():
    y = MyReLU.apply(x3()).sum()
    y.backward()
    y.backward()


@case
def backward_twice_without_saved():
    x = x3()
    y = bad(lambda ctx, g: g * 2).apply(x).sum()
    y.backward()
    y.backward()
    return show(x.grad)


@case
def input_modified():
    z = x3() * 1
    y = MyReLU.apply(z)
    z.add_(1)
    y.sum().backward()


@case
def output_modified():
    y = MyExp.apply(x3())
    y.add_(1)
    y.sum().backward()


@case
def output_of_a_function_modified():
    y = MyReLU.apply(x3())
    z = y.exp() + y.sin()
    y.detach().add_(1)
    z.sum().backward()


def returned(value, *rest):
    x = x3()
    bad(lambda ctx, g: value).apply(x, *rest).sum().backward()
    return show(x.grad)


@case
def too_many_gradients():
    return returned((torch.ones(3), torch.ones(3)))


@case
def too_many_gradients_of_none():
    return returned((torch.ones(3), None))


@case
def too_few_gradients():
    return returned(torch.ones(3), 2.0)


@case
def gradient_of_a_number():
    return returned((torch.ones(3), torch.ones(3)), 2.0)


@case
def gradient_of_another_shape():
    return returned(torch.ones(2, dtype=torch.float64))


@case
def gradient_that_is_summed():
    return returned(torch.ones(2, 3, dtype=torch.float64))


@case
def gradient_of_another_dtype():
    return returned(torch.ones(3, dtype=torch.float32) / 3)


@case
def gradient_of_integers():
    return returned(torch.ones(3, dtype=torch.int64))


@case
def gradient_of_none():
    return returned(None)


def without_gradients(materialize):
    seen = []
    x = x3()

    def forward(ctx, x):
        ctx.set_materialize_grads(materialize)
        return x * 2

    def backward(ctx, g):
        seen.append("None" if g is None else "tensor")
        return g

    y = bad(backward, forward).apply(x)
    bad(lambda ctx, g: None).apply(y).sum().backward()
    return show(x.grad) + " " + " ".join(seen)


@case
def no_gradient_materialized():
    return without_gradients(True)


@case
def no_gradient_as_none():
    return without_gradients(False)


def two_outputs(materialize):
    seen = []
    x = x3()

    def forward(ctx, x):
        ctx.set_materialize_grads(materialize)
        return x * 2, x * 3

    def backward(ctx, g, h):
        seen.append(show(g, h))
        return g * 2 if h is None else g * 2 + h * 3

    a, b = bad(backward, forward).apply(x)
    a.sum().backward()
    return show(x.grad) + " " + " ".join(seen) + " " + flag(a.grad_fn is b.grad_fn)


@case
def two_outputs_materialized():
    return two_outputs(True)


@case
def two_outputs_with_none():
    return two_outputs(False)


@case
def non_differentiable_outputs():
    seen = []

    def forward(ctx, x):
        order = x.argsort()
        values = x[order]
        ctx.mark_non_differentiable(order, values)
        return order, values, x * 2

    def backward(ctx, *grads):
        seen.append(show(*grads))
        return grads[2]

    order, values, y = bad(backward, forward).apply(x3())
    y.sum().backward()
    return flag(order.requires_grad) + flag(values.requires_grad) + flag(y.requires_grad) + " " + " ".join(seen)


def dirty_forward(ctx, x):
    ctx.mark_dirty(x)
    return x.mul_(2)


def dirty(x):
    return bad(lambda ctx, g: g * 2, dirty_forward).apply(x)


@case
def dirty_input():
    x = x3()
    z = x * 1
    y = dirty(z)
    z.sum().backward()
    return show(x.grad, z) + flag(y is z) + name(z)


@case
def dirty_leaf():
    dirty(x3())


@case
def dirty_view():
    x = x3()
    z = x * 1
    part = z[1:]
    dirty(part)
    names = name(part) + " " + name(z)
    z.sum().backward()
    return show(x.grad, z) + " " + names


@case
def dirty_view_of_second_argument():
    x, w = x3(), leaf(5.0, 7.0)
    z = x * 1
    part = z[1:]

    def forward(ctx, a, b):
        ctx.mark_dirty(b)
        ctx.save_for_backward(a, b.clone())
        return b.mul_(a)

    def backward(ctx, g):
        a, b = ctx.saved_tensors
        return g * b, g * a

    # PyTorch routes the first argument's gradient to the view's base, whichever was written to: measured with the view first.
    bad(lambda ctx, g: backward(ctx, g)[::-1], lambda ctx, b, a: forward(ctx, a, b)).apply(part, w)
    z.sum().backward()
    return show(x.grad, w.grad, z)


@case
def dirty_but_not_returned():
    def forward(ctx, x):
        ctx.mark_dirty(x)
        x.mul_(2)
        return x * 1

    bad(lambda ctx, g: g, forward).apply(x3() * 1)


@case
def dirty_view_and_two_outputs():
    def forward(ctx, x):
        ctx.mark_dirty(x)
        x.mul_(2)
        return x, x * 1

    bad(lambda ctx, g, h: g, forward).apply((x3() * 1)[1:])


@case
def written_without_a_mark():
    z = x3() * 1
    y = bad(lambda ctx, g: g, lambda ctx, x: x.mul_(2)).apply(z)
    return flag(y is z) + name(y) + " " + name(z) + flag(y._is_view())


@case
def view_as_output():
    y = bad(lambda ctx, g: g, lambda ctx, x: x.view(-1)).apply(x3() * 1)
    y.add_(1)


@case
def input_as_output():
    y = bad(lambda ctx, g: g, lambda ctx, x: x).apply(x3() * 1)
    y.add_(1)


@case
def input_as_output_gradient():
    x = x3()
    y = bad(lambda ctx, g: g * 5, lambda ctx, x: x).apply(x)
    y.sum().backward()
    return show(x.grad) + name(y) + flag(y._is_view()) + flag(y is x)


@case
def base_of_a_view_modified():
    b = x3() * 1
    y = bad(lambda ctx, g: g, lambda ctx, x: x.view(-1)).apply(b)
    b.add_(1)
    y * 2


@case
def one_of_several_views():
    y, _ = bad(lambda ctx, g, h: g, lambda ctx, x: (x.view(-1), x * 1)).apply(x3() * 1)
    y.add_(1)


@case
def once():
    x = x3()
    (g,) = torch.autograd.grad(Once.apply(x).sum(), x, create_graph=True)
    return show(g) + flag(g.requires_grad)


@case
def once_differentiated_twice():
    x = x3()
    (g,) = torch.autograd.grad(Once.apply(x), x, leaf(1.0, 1.0, 1.0), create_graph=True)
    if "<Error>" not in str(g):
        return "another name"
    g.sum().backward()


@case
def attributes():
    def forward(ctx, x, alpha, label):
        ctx.alpha = alpha
        ctx.label = label
        return x * alpha

    x = x3()
    bad(lambda ctx, g: (g * ctx.alpha * len(ctx.label), None, None), forward).apply(x, 0.5, "abc").sum().backward()
    return show(x.grad)


@case
def attribute_that_is_missing():
    bad(lambda ctx, g: ctx.alpha).apply(x3()).sum().backward()


@case
def needs_input_grad():
    seen = []

    def forward(ctx, a, b, s):
        seen.append("".join(map(flag, ctx.needs_input_grad)))
        return a * b * s

    def backward(ctx, g):
        seen.append("".join(map(flag, ctx.needs_input_grad)))
        return g, g, None

    f = bad(backward, forward)
    x, w = x3(), x3()
    f.apply(x, w.detach(), 2).sum().backward()
    torch.autograd.grad(f.apply(x, w, 2).sum(), x)
    with torch.no_grad():
        f.apply(x, w, 2)
    return " ".join(seen)


@case
def saved_none():
    seen = []

    def forward(ctx, x):
        ctx.save_for_backward(x, None)
        return x * 1

    def backward(ctx, g):
        seen.append(" ".join(flag(t is not None) for t in ctx.saved_tensors))
        return g

    bad(backward, forward).apply(x3()).sum().backward()
    return " ".join(seen)


@case
def too_many_values_to_unpack():
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        return g

    def forward(ctx, x):
        ctx.save_for_backward(x, x)
        return x * 1

    bad(backward, forward).apply(x3()).sum().backward()


@case
def not_enough_values_to_unpack():
    def backward(ctx, g):
        x, y, z = ctx.saved_tensors
        return g

    def forward(ctx, x):
        ctx.save_for_backward(x, x)
        return x * 1

    bad(backward, forward).apply(x3()).sum().backward()


@case
def any_number_of_inputs():
    def forward(ctx, *xs):
        ctx.count = len(xs)
        return sum(xs)

    def backward(ctx, g):
        return tuple(g * i for i in range(ctx.count))

    xs = [x3() for _ in range(4)]
    bad(backward, forward).apply(*xs).sum().backward()
    return show(*(x.grad for x in xs))


# Saved-tensor hooks


def noted(seen, of=lambda t: t):
    def pack(t):
        seen.append("pack " + str(of(t)))
        return t.detach()

    def unpack(t):
        seen.append("unpack " + str(t))
        return t

    return graph.saved_tensors_hooks(pack, unpack)


@case
def packed_tensors():
    seen = []
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    with noted(seen):
        y = (x * 2).sin().exp()
    z = y * y
    z.sum().backward()
    return "\n".join(seen) + "\n" + show(x.grad)


@case
def packed_in_place():
    seen = []
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    with noted(seen, torch.Tensor.detach):
        y = x * 1
        y.exp_()
        y[1:].sin_()
    y.sum().backward()
    return "\n".join(seen) + "\n" + show(x.grad)


@case
def packed_custom_function():
    seen = []
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    with noted(seen):
        y = MyExp.apply(MyReLU.apply(x))
    y.sum().backward()
    return "\n".join(seen) + "\n" + show(x.grad)


@case
def nested_hooks():
    seen = []

    def count(name):
        return graph.saved_tensors_hooks(lambda t: (seen.append(name), t.detach())[1], lambda t: t)

    x = x3()
    with count("outer"):
        y = x.sin()
        with count("inner"):
            y = y.sin()
        y = y.sin()
    y.sum().backward()
    return " ".join(seen) + " " + show(x.grad)


@case
def hooks_and_a_second_backward():
    with noted([]):
        y = x3().sin().sum()
    y.backward()
    y.backward()


@case
def hooks_and_a_kept_graph():
    seen = []
    x = x3()
    with noted(seen):
        y = x.sin().sum()
    y.backward(retain_graph=True)
    y.backward()
    return str(len(seen)) + " " + show(x.grad)


@case
def pack_hook_that_writes():
    with graph.saved_tensors_hooks(lambda t: t.detach().add_(1), lambda t: t):
        (x3() * 1).sin()


def saved_of(y):
    found = []
    for name in ["self", "other", "mat2", "result", "index"]:
        value = getattr(y.grad_fn, "_saved_" + name, None)
        if isinstance(value, torch.Tensor):
            found.append(f"{name} {show(value.reshape(-1))} {flag(value.requires_grad)}")
    return "; ".join(found)


@case
def saved_by_name():
    x = x3()
    z, w = x * 1, torch.tensor([2.0, 3.0, 4.0], dtype=torch.float64)
    m = z.reshape(3, 1)
    named = [z * z, z * w, z.exp(), z.atan2(w), m @ w.reshape(1, 3), z.amax(0), z.prod(), z.gather(0, torch.tensor([2, 0])), z + 1]
    return "\n".join(saved_of(y) for y in named)


@case
def saved_result_is_the_result():
    y = (x3() * 1).exp()
    own = y.grad_fn._saved_result
    return flag(own.grad_fn is y.grad_fn) + " " + show(torch.autograd.grad(own.sum(), y)[0])


@case
def saved_that_was_freed():
    y = (x3() * 1).exp()
    y.sum().backward()
    y.grad_fn._saved_result


@case
def saved_that_was_written_to():
    z = x3() * 1
    y = z.sin()
    z.add_(1)
    y.grad_fn._saved_self


@case
def saved_and_unpacked():
    seen = []
    with graph.saved_tensors_hooks(lambda t: t.detach(), lambda t: (seen.append("unpack"), t * 10)[1]):
        y = (x3() * 1).sin()
    return show(y.grad_fn._saved_self, y.grad_fn._saved_self) + f" {len(seen)}"


@case
def modified_after_it_was_packed():
    x = x3()
    with graph.saved_tensors_hooks(lambda t: t.detach().clone(), lambda t: t):
        z = x * 1
        y = z.exp() * z
    z.add_(1)
    y.sum().backward()
    return show(x.grad)


@case
def hooks_that_return_the_tensor():
    x = x3()
    with graph.saved_tensors_hooks(lambda t: t, lambda t: t):
        y = (x * 1).sin()
    y.sum().backward()
    return show(x.grad)


@case
def hooks_and_double_backward():
    x = x3()
    with graph.saved_tensors_hooks(lambda t: t.detach().tolist(), lambda t: torch.tensor(t, dtype=torch.float64)):
        y = x**3
    (g,) = torch.autograd.grad(y.sum(), x, create_graph=True)
    (h,) = torch.autograd.grad(g.sum(), x)
    return show(g, h)


@case
def disabled_hooks():
    with graph.disable_saved_tensors_hooks("no hooks"):
        with graph.save_on_cpu():
            pass


@case
def disabled_hooks_while_some_are_set():
    with graph.save_on_cpu():
        with graph.disable_saved_tensors_hooks("they are set"):
            pass


@case
def disabled_hooks_nested():
    with graph.disable_saved_tensors_hooks("outer"):
        with graph.disable_saved_tensors_hooks("inner"):
            pass
        with graph.save_on_cpu():
            pass


@case
def saved_on_cpu():
    x = x3()
    with graph.save_on_cpu():
        y = x.sin()
    y.sum().backward()
    return show(x.grad)


# Checkpoints


def counted(count):
    def f(x):
        count[0] += 1
        return (x.sin() * x).exp()

    return f


@case
def checkpointed():
    count, x = [0], x3()
    y = checkpoint(counted(count), x, use_reentrant=False)
    y.sum().backward()
    return show(y, x.grad) + f" {count[0]} " + name(y)


@case
def checkpointed_grad():
    count, x = [0], x3()
    y = checkpoint(counted(count), x, use_reentrant=False)
    (g,) = torch.autograd.grad(y.sum(), x, create_graph=True)
    (h,) = torch.autograd.grad(g.sum(), x)
    return show(g, h) + f" {count[0]}"


@case
def checkpointed_twice():
    y = checkpoint(counted([0]), x3(), use_reentrant=False).sum()
    y.backward()
    y.backward()


@case
def checkpointed_kept():
    count, x = [0], x3()
    y = checkpoint(counted(count), x, use_reentrant=False).sum()
    y.backward(retain_graph=True)
    y.backward()
    return show(x.grad) + f" {count[0]}"


@case
def checkpointed_without_graph():
    count = [0]
    with torch.no_grad():
        y = checkpoint(counted(count), x3(), use_reentrant=False)
    return flag(y.requires_grad) + f" {count[0]}"


@case
def checkpointed_in_contexts():
    count, x, seen = [0], x3(), []

    @contextlib.contextmanager
    def noted(name):
        seen.append("+" + name)
        yield
        seen.append("-" + name)

    run = counted(count)

    def region(x):
        seen.append("run")
        return run(x)

    y = checkpoint(region, x, use_reentrant=False, early_stop=False, context_fn=lambda: (noted("forward"), noted("again")))
    y.sum().backward()
    return show(x.grad) + f" {count[0]} " + " ".join(seen)


@case
def checkpointed_in_no_grad_context():
    x = x3()
    y = checkpoint(counted([0]), x, use_reentrant=False, context_fn=lambda: (torch.no_grad(), torch.enable_grad()))
    return flag(y.requires_grad)


@case
def reentrant():
    count, x = [0], x3()
    y = checkpoint(counted(count), x, use_reentrant=True)
    y.sum().backward()
    return show(y, x.grad) + f" {count[0]}"


@case
def reentrant_without_inputs_that_require_grad():
    w, count = x3(), [0]
    run = counted(count)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        y = checkpoint(lambda x: run(x * w), x3().detach(), use_reentrant=True)
    return flag(y.requires_grad) + f" {count[0]} {len(caught)}"


@case
def reentrant_grad():
    x = x3()
    y = checkpoint(counted([0]), x, use_reentrant=True)
    torch.autograd.grad(y.sum(), x)


@case
def reentrant_in_contexts():
    checkpoint(counted([0]), x3(), use_reentrant=True, context_fn=lambda: (torch.no_grad(), torch.no_grad()))


@case
def checkpoint_input_modified():
    z = x3() * 1
    y = checkpoint(counted([0]), z, use_reentrant=False)
    z.add_(1)
    y.sum().backward()


def changing(first, then, **options):
    count = [0]

    def f(x):
        count[0] += 1
        return first(x) if count[0] == 1 else then(x)

    x = x3()
    checkpoint(f, x, use_reentrant=False, **options).sum().backward()
    return show(x.grad)


def more(x):
    return x.sin().sin().sin()


def halved(x):
    return x[:2].float().sin()


@case
def recomputation_saves_more():
    return changing(torch.sin, more)


@case
def recomputation_saves_more_and_does_not_stop():
    return changing(torch.sin, more, early_stop=False)


@case
def recomputation_saves_more_and_must_not_stop():
    with set_checkpoint_early_stop(False):
        return changing(torch.sin, more)


@case
def recomputation_saves_fewer():
    return changing(more, torch.sin)


@case
def recomputation_saves_others():
    return changing(torch.sin, halved)


@case
def unknown_determinism_check():
    return changing(torch.sin, torch.sin, determinism_check="strict")


@case
def nested_checkpoints():
    counts, x = [0, 0], x3()

    def inner(x):
        counts[0] += 1
        return x.sin().exp()

    def outer(x):
        counts[1] += 1
        return checkpoint(inner, x.cos(), use_reentrant=False).tanh()

    checkpoint(outer, x, use_reentrant=False).sum().backward()
    return show(x.grad) + f" {counts[0]} {counts[1]}"


@case
def checkpoint_of_several():
    x, w = x3(), leaf(2.0, 3.0, 4.0)

    def f(x, w, p):
        return (x * w).sin() * p, w.exp()

    a, b = checkpoint(f, x, w, 0.5, use_reentrant=False)
    (a.sum() + b.sum()).backward()
    return show(x.grad, w.grad)


@case
def checkpoint_with_a_backward_inside():
    x = x3()

    def f(x):
        y = x.sin()
        z = y.exp()
        (g,) = torch.autograd.grad(z.sum(), y, retain_graph=True)
        return z * g

    checkpoint(f, x, use_reentrant=False).sum().backward()
    return show(x.grad)


@case
def random_numbers():
    torch.manual_seed(0)
    x = torch.ones(8, requires_grad=True)
    y = checkpoint(lambda a: torch.nn.functional.dropout(a * a, 0.5) * torch.rand(8), x, use_reentrant=False)
    first = torch.rand(1)
    y.sum().backward()
    second = torch.rand(1)
    return show(y, x.grad, first, second)


@case
def random_numbers_not_preserved():
    torch.manual_seed(0)
    x = torch.ones(8, requires_grad=True)
    y = checkpoint(lambda a: torch.nn.functional.dropout(a * a, 0.5), x, use_reentrant=False, preserve_rng_state=False)
    y.sum().backward()
    return show(y, x.grad, torch.rand(1))


def sequential(segments, count=5):
    runs = []

    def f(i):
        def call(x):
            runs.append(i)
            return x.sin() * (i + 1)

        return call

    x = x3()
    y = checkpoint_sequential([f(i) for i in range(count)], segments, x, use_reentrant=False)
    y.sum().backward()
    return show(y, x.grad) + " " + "".join(map(str, runs))


@case
def sequential_in_two():
    return sequential(2)


@case
def sequential_in_one():
    return sequential(1)


@case
def sequential_in_five():
    return sequential(5)


@case
def sequential_in_none():
    return sequential(0)


@case
def sequential_in_too_many():
    return sequential(9)


# Hooks of tensors


@case
def removed_hooks():
    x = x3()
    first = x.register_hook(lambda g: g * 10)
    second = x.register_hook(lambda g: g + 1)
    out = []
    for handle in (first, first, second, None):
        x.grad = None
        (x * 1).sum().backward()
        out.append(show(x.grad))
        if handle is not None:
            handle.remove()
    return " ".join(out)


@case
def removed_hook_of_a_result():
    x = x3()
    y = x * 2
    handle = y.register_hook(lambda g: g * 10)
    y.sum().backward(retain_graph=True)
    handle.remove()
    y.sum().backward()
    return show(x.grad)


@case
def hook_without_gradient():
    x3().detach().register_hook(lambda g: None)


@case
def accumulated():
    x, seen = x3(), []

    def hook(x):
        seen.append(show(x.grad))
        x.grad = None

    handle = x.register_post_accumulate_grad_hook(hook)
    (x * 2).sum().backward()
    (x * 3 + x).sum().backward()
    torch.autograd.grad((x * 2).sum(), x)
    handle.remove()
    (x * 5).sum().backward()
    return " ".join(seen) + " " + show(x.grad)


@case
def accumulated_hook_of_a_result():
    (x3() * 1).register_post_accumulate_grad_hook(lambda x: None)


@case
def accumulated_hook_without_gradient():
    x3().detach().register_post_accumulate_grad_hook(lambda x: None)


def tree():
    a, b = leaf(2.0), leaf(3.0)
    return a, b, a * b, a * b


@case
def hook_of_several():
    a, b, c, d = tree()
    seen = []
    handle = graph.register_multi_grad_hook((a, b, c, d), lambda grads: seen.append(show(*grads)))
    c.sum().backward(retain_graph=True)
    (c + d * 2).sum().backward(retain_graph=True)
    (a * 7).sum().backward()
    handle.remove()
    c.sum().backward()
    return " ".join(seen)


@case
def hook_of_several_results_in_grad():
    a, b, c, d = tree()
    seen = []
    graph.register_multi_grad_hook((c, d), lambda grads: seen.append(show(*grads)))
    torch.autograd.grad((c * 2 + d * 3).sum(), a, retain_graph=True)
    torch.autograd.grad((c * 2).sum(), a, retain_graph=True)
    torch.autograd.grad((c * 2 + d * 3).sum(), d)
    return " ".join(seen)


@case
def hook_of_several_leaves_in_grad():
    a, b, c, d = tree()
    graph.register_multi_grad_hook((a, b), lambda grads: None)
    torch.autograd.grad(c.sum(), a)


@case
def hook_of_any():
    a, b, c, d = tree()
    seen = []
    handle = graph.register_multi_grad_hook((a, b, c, d, leaf(1.0).detach()), lambda g: seen.append(show(g)), mode="any")
    c.sum().backward(retain_graph=True)
    (c + d * 2).sum().backward(retain_graph=True)
    handle.remove()
    c.sum().backward()
    return " ".join(seen)


@case
def hook_of_several_without_gradient():
    graph.register_multi_grad_hook((x3(), x3().detach()), lambda grads: None)


def run(call):
    try:
        return {"case": call.__name__, "text": call(), "error": None}
    except Exception as e:
        # The tip that follows speaks of options that are not there.
        return {"case": call.__name__, "text": None, "error": str(e).split("\n\nTip")[0]}


if __name__ == "__main__":
    warnings.filterwarnings("ignore")
    torch.set_num_threads(1)
    cases = [run(call) for call in CASES]
    encode.write(pathlib.Path(__file__).parent / "data" / "graph.jsonl.gz", cases)
    print(len(cases), "cases,", sum(c["error"] is not None for c in cases), "errors")
    if "-v" in sys.argv:
        for c in cases:
            print(c["case"], "|", c["text"], "|", c["error"])
