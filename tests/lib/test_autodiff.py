"""The reverse-mode engine against torch's autograd: value and gradient, every element, float64."""

import numpy as np
import pytest
import torch

from neuralnotes.autodiff import Value, gradient_error, graph, maximum, softmax_cross_entropy, topological_order

F = torch.nn.functional


def arrays(*shapes, seed=0, positive=False):
    generator = torch.Generator().manual_seed(seed)
    made = [torch.randn(shape, generator=generator, dtype=torch.float64) for shape in shapes]
    return [x.abs() + 0.5 for x in made] if positive else made


def compare(ours, theirs, inputs, rtol=1e-12, atol=1e-12):
    """Same value, and same gradient for every element of every input under a random upstream gradient."""
    leaves = [Value(x.clone()) for x in inputs]
    tensors = [x.clone().requires_grad_() for x in inputs]
    got, want = ours(*leaves), theirs(*tensors)
    torch.testing.assert_close(got.data, want.detach(), rtol=rtol, atol=atol)
    upstream = torch.randn(want.shape, generator=torch.Generator().manual_seed(99)).to(want)
    got.backward(upstream)
    want.backward(upstream)
    for leaf, tensor in zip(leaves, tensors, strict=True):
        torch.testing.assert_close(leaf.grad, tensor.grad, rtol=rtol, atol=atol)
        assert leaf.grad.dtype == leaf.data.dtype and leaf.grad.device == leaf.data.device


BROADCASTS = [((3, 4), (3, 4)), ((3, 4), (4,)), ((4,), (3, 4)), ((3, 1), (1, 4)), ((2, 3, 4), (3, 1)), ((), (2, 3)),
              ((1, 1), (2, 3)), ((1,), ()), ((), ()), ((0, 3), (3,))]


@pytest.mark.parametrize("shapes", BROADCASTS, ids=str)
@pytest.mark.parametrize("op", ["add", "sub", "mul", "div", "max"])
def test_two_argument_operations_broadcast(op, shapes):
    ours = {"add": lambda a, b: a + b, "sub": lambda a, b: a - b, "mul": lambda a, b: a * b, "div": lambda a, b: a / b,
            "max": maximum}[op]
    theirs = torch.maximum if op == "max" else ours
    compare(ours, theirs, arrays(*shapes, positive=op == "div"))


@pytest.mark.parametrize("shape", [(), (1,), (3, 4), (2, 0)], ids=str)
@pytest.mark.parametrize("op", ["neg", "exp", "log", "tanh", "sigmoid", "relu"])
def test_elementwise_operations(op, shape):
    inputs = arrays(shape, positive=op == "log")
    compare(lambda x: -x if op == "neg" else getattr(x, op)(), lambda x: getattr(torch, op)(x), inputs)


@pytest.mark.parametrize("exponent", [2, 3, 1, 0, -1, 0.5, -1.5])
def test_power(exponent):
    compare(lambda x: x**exponent, lambda x: x**exponent, arrays((3, 4), positive=True))


@pytest.mark.parametrize("exponent", [0, 1, 2, 3])
def test_power_at_zero(exponent):
    compare(lambda x: x**exponent, lambda x: x**exponent, [torch.tensor([0.0, -2.0], dtype=torch.float64)])


@pytest.mark.parametrize("shapes", [((2, 3), (3, 4)), ((1, 1), (1, 1)), ((5, 2, 3), (3, 4)), ((2, 3), (5, 3, 4)),
                                    ((5, 1, 2, 3), (6, 3, 2)), ((0, 3), (3, 2))], ids=str)
def test_matmul(shapes):
    compare(lambda a, b: a @ b, lambda a, b: a @ b, arrays(*shapes))


@pytest.mark.parametrize("keepdims", [False, True])
@pytest.mark.parametrize("axis", [None, 0, 1, -1, (0, 2), (1,)], ids=str)
@pytest.mark.parametrize("op", ["sum", "mean"])
def test_reductions(op, axis, keepdims):
    everything = (0, 1, 2)
    compare(lambda x: getattr(x, op)(axis, keepdims),
            lambda x: getattr(torch, op)(x, everything if axis is None else axis, keepdim=keepdims), arrays((2, 3, 4)))


def test_reduction_of_a_single_number():
    compare(lambda x: x.sum() + x.mean(), lambda x: x.sum() + x.mean(), arrays(()))


def test_shape_operations():
    compare(lambda x: x.reshape(4, 3), lambda x: x.reshape(4, 3), arrays((3, 4)))
    compare(lambda x: x.reshape(2, -1).T, lambda x: x.reshape(2, -1).mT, arrays((3, 4)))


@pytest.mark.parametrize("index", [1, (slice(None), 2), (slice(0, 2), slice(1, 4, 2)), ([0, 0, 2], [1, 1, 3]),
                                   torch.tensor([[0, 1], [1, 2]]), (..., None, 0)], ids=str)
def test_index_collects_repeated_elements(index):
    compare(lambda x: x[index], lambda x: x[index], arrays((3, 4)))


@pytest.mark.parametrize("scale", [1.0, 1000.0])
@pytest.mark.parametrize("shape", [(1, 2), (5, 3), (4, 1)], ids=str)
def test_softmax_cross_entropy(shape, scale):
    logits = [scale * arrays(shape)[0]]
    labels = torch.arange(shape[0]) % shape[1]
    compare(lambda x: softmax_cross_entropy(x, labels), lambda x: F.cross_entropy(x, labels), logits)
    compare(lambda x: 3 * softmax_cross_entropy(x, labels.numpy()), lambda x: 3 * F.cross_entropy(x, labels), logits)


@pytest.mark.parametrize("constant", [2.5, 3, torch.tensor([1.0, 2.0, 4.0, 8.0]), np.array([1.0, 2.0, 4.0, 8.0])[::-1],
                                      [1, 2, 4, 8]], ids=["float", "int", "tensor", "view", "list"])
def test_constants_on_both_sides(constant):
    tensor = torch.tensor(np.array(constant), dtype=torch.float64)
    x, = arrays((3, 4), positive=True)
    for ours in (lambda v, c: c + v, lambda v, c: c - v, lambda v, c: c * v, lambda v, c: c / v, lambda v, c: v - c,
                 lambda v, c: v / c):
        compare(lambda v, ours=ours: ours(v, constant), lambda v, ours=ours: ours(v, tensor), [x])
    compare(lambda v: maximum(v, constant), lambda v: torch.maximum(v, tensor), [x])
    matrix, = arrays((2, 3), seed=4)
    compare(lambda v: matrix @ v, lambda v: matrix @ v, [x])


def test_shared_nodes_add_their_gradients():
    def f(a, b):
        c = a * b
        d = c + a
        return (d * c - d * d).sum() + (c @ d.T).mean() + (a * a).sum()
    compare(f, lambda a, b: f(a, b) if isinstance(a, Value) else (
        (lambda c: ((c + a) * c - (c + a) ** 2).sum() + (c @ (c + a).mT).mean() + (a * a).sum())(a * b)),
        arrays((3, 3), (3, 3)))


def test_a_tie_in_max_goes_to_the_first():
    a, b = Value([1.0, 2.0, 3.0]), Value([1.0, 3.0, 2.0])
    maximum(a, b).sum().backward()
    assert a.grad.tolist() == [1.0, 0.0, 1.0]
    assert b.grad.tolist() == [0.0, 1.0, 0.0]


def test_relu_has_slope_zero_at_zero():
    x = Value([-1.0, 0.0, 2.0])
    x.relu().sum().backward()
    assert x.grad.tolist() == [0.0, 0.0, 1.0]


def test_deep_chain_needs_no_recursion():
    x = Value(1.0)
    y = x
    for _ in range(50_000):
        y = y + 0.0
    y.backward()
    assert x.grad.item() == 1.0
    del y  # freeing a long chain must not overflow the stack either


def test_exponentially_many_paths_are_visited_once():
    x = Value(1.0)
    y = x
    for _ in range(60):
        y = y + y  # 2**60 paths, 60 nodes
    y.backward()
    assert x.grad.item() == 2.0**60
    assert len(topological_order(y)) == 61


def test_second_backward():
    x = Value(3.0)
    square = x * x
    loss = square * 2.0
    loss.backward()
    assert (x.grad.item(), square.grad.item(), loss.grad.item()) == (12.0, 2.0, 1.0)
    loss.backward()  # leaves accumulate, nodes in between start afresh
    assert (x.grad.item(), square.grad.item(), loss.grad.item()) == (24.0, 2.0, 1.0)
    x.grad = None
    loss.backward()
    assert (x.grad.item(), square.grad.item()) == (12.0, 2.0)


def test_two_losses_that_share_a_node():
    x = Value(3.0)
    shared = x * x
    (shared * 2.0).backward()
    (shared * 5.0).backward()
    assert x.grad.item() == 6.0 * 7.0


def test_backward_from_a_leaf_and_with_a_gradient():
    x = Value(2.0)
    x.backward()
    assert x.grad.item() == 1.0
    v = Value([1.0, 2.0])
    (v * v).backward([1.0, -1.0])
    assert v.grad.tolist() == [2.0, -4.0]


def test_gradients_do_not_share_memory():
    a, b = Value([1.0, 1.0]), Value([1.0, 1.0])
    (a + b).sum().backward()
    a.grad *= 0.5
    assert b.grad.tolist() == [1.0, 1.0]


def test_multi_layer_network_against_torch():
    x, = arrays((7, 5), seed=3)
    labels = torch.tensor([0, 2, 1, 1, 0, 2, 2])

    def network(w1, b1, w2, b2, w3, b3, cross_entropy):
        h1 = (x @ w1 + b1).tanh()
        h2 = (h1 @ w2 + b2).relu()
        decay = 0.05 * ((w1 * w1).sum() + (w2**2).sum() + (w3 * w3).sum())
        return cross_entropy(h2 @ w3 + b3, labels) + decay

    shapes = [(5, 8), (8,), (8, 6), (6,), (6, 3), (3,)]
    compare(lambda *p: network(*p, softmax_cross_entropy), lambda *p: network(*p, F.cross_entropy), arrays(*shapes))


def test_float32_stays_float32_and_mixed_types_return_to_their_own():
    x, w = Value(torch.ones(2, 3)), Value(torch.ones(3, 2))
    y = (2 * x @ w + np.ones(2)).sigmoid().mean()
    y.backward()
    assert y.data.dtype == x.grad.dtype == w.grad.dtype == torch.float32
    single, double = Value(torch.ones(2)), Value(torch.ones(2, dtype=torch.float64))
    (single * double).sum().backward()
    assert (single.grad.dtype, double.grad.dtype) == (torch.float32, torch.float64)


def test_torch_autograd_is_not_used():
    parameter = torch.nn.Parameter(torch.ones(2))
    loss = (Value(parameter) * 3.0).sum()
    assert not loss.data.requires_grad
    loss.backward()
    assert parameter.grad is None


def test_data_of_a_tensor_is_stored_and_of_an_array_copied():
    tensor, array = torch.ones(2), np.ones(2)
    a, b = Value(tensor), Value(array)
    a.data += 1
    b.data += 1
    assert tensor.tolist() == [2.0, 2.0] and array.tolist() == [1.0, 1.0]


def test_graph_of_the_worked_example():
    x, y, z, w = Value(3.0, "x"), Value(-4.0, "y"), Value(2.0, "z"), Value(-1.0, "w")
    f = (x * y + maximum(z, w)) * 2.0
    f.name = "f"
    assert graph(f)[2] == {}
    f.backward()
    nodes, values, gradients = graph(f)
    assert nodes == [("x", "input", 3.0), ("y", "input", -4.0), ("v3", "mul", ("x", "y")), ("z", "input", 2.0),
                     ("w", "input", -1.0), ("v6", "max", ("z", "w")), ("v7", "add", ("v3", "v6")),
                     ("v8", "input", 2.0), ("f", "mul", ("v7", "v8"))]
    assert values == {"x": 3.0, "y": -4.0, "z": 2.0, "w": -1.0, "v3": -12.0, "v6": 2.0, "v7": -10.0, "v8": 2.0,
                      "f": -20.0}
    assert gradients == {"x": -8.0, "y": 6.0, "z": 2.0, "w": 0.0, "v3": 2.0, "v6": 2.0, "v7": 2.0, "v8": -10.0,
                         "f": 1.0}


def test_graph_shows_no_negative_zero():
    x, gate = Value(2.0, "x"), Value(0.0, "gate")
    (x * gate * -3.0).backward()
    assert str(graph(x * gate)[2]["x"]) == "0.0"


def test_graph_refuses_one_name_for_two_nodes():
    with pytest.raises(ValueError, match=r"\['x'\]"):
        graph(Value(1.0, "x") + Value(2.0, "x"))


def test_gradient_error_accepts_right_and_rejects_wrong():
    x, w = arrays((4, 3), (3, 2))
    assert gradient_error(lambda x, w: ((x @ w).tanh() ** 2).sum(), x, w) < 1e-8

    def wrong(a):  # the derivative of exp is taken to be 1
        return Value(a.data.exp(), op="exp", parents=(a,), local_backward=lambda g: (g,)).sum()
    assert gradient_error(wrong, x) > 0.1

    def undefined(a):
        return Value(a.data, op="nan", parents=(a,), local_backward=lambda g: (g * float("nan"),)).sum()
    assert np.isnan(gradient_error(undefined, x))
    assert gradient_error(lambda a, b: a.sum(), x, w) < 1e-8  # b is not used: gradient 0
    assert gradient_error(lambda a: (a * 0.0).sum(), x) == 0.0
    with pytest.raises(TypeError, match="float64"):
        gradient_error(lambda a: a.sum(), x.float())


@pytest.mark.parametrize(("call", "error", "message"), [
    (lambda: Value(torch.ones(3, 2)) + Value(torch.ones(3)), ValueError, r"add: shapes \(3, 2\) and \(3,\)"),
    (lambda: maximum(Value(torch.ones(3)), torch.ones(2)), ValueError, r"max: shapes \(3,\) and \(2,\)"),
    (lambda: maximum(1.0, 2.0), TypeError, "at least one"),
    (lambda: Value(torch.ones(3, 2)) @ Value(torch.ones(3, 2)), ValueError, r"matmul: shapes \(3, 2\) and \(3, 2\)"),
    (lambda: Value(torch.ones(3, 2)) @ torch.ones(2), ValueError, "one row or one column"),
    (lambda: Value(torch.ones(3)).backward(), ValueError, r"\(3,\): reduce it with \.sum\(\) or \.mean\(\)"),
    (lambda: Value(torch.ones(3)).backward(torch.ones(2)), ValueError, r"gradient of shape \(2,\)"),
    (lambda: Value(torch.ones(3)) ** Value(2.0), TypeError, "plain number"),
    (lambda: Value(torch.arange(3)), TypeError, "floating-point data, not torch.int64"),
    (lambda: softmax_cross_entropy(Value(torch.ones(3)), [0]), ValueError, r"logits \(N, C\)"),
    (lambda: softmax_cross_entropy(Value(torch.ones(2, 3)), [0]), ValueError, r"\(1,\)"),
    (lambda: softmax_cross_entropy(Value(torch.ones(1, 3)), [0.0]), ValueError, "integer labels"),
    (lambda: softmax_cross_entropy(Value(torch.ones(2, 3)), [0, 3]), ValueError, "from 0 to 2"),
    (lambda: softmax_cross_entropy(Value(torch.ones(2, 3)), [0, -1]), ValueError, "from 0 to 2"),
])
def test_errors_say_what_is_wrong(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_repr_shows_data_and_gradient():
    x = Value(2.0, "x")
    y = x * 3.0
    y.backward()
    assert repr(x) == "Value(x: input, data=2, grad=3)"
    assert repr(y + 1.0) == "Value(add, data=7, grad=None)"
    assert repr(Value(torch.ones(2, 3))) == "Value(input, shape=(2, 3))"


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_on_the_gpu():
    def f(x, w, labels):
        h = maximum((x @ w).tanh(), 0.1) / 2 + x.sum(axis=1, keepdims=True).sigmoid()
        return softmax_cross_entropy(h[[0, 1, 1]].relu(), labels) + (w**2).mean()
    x, w = arrays((4, 3), (3, 5))
    here, there = [Value(x), Value(w)], [Value(x.cuda()), Value(w.cuda())]
    f(*here, [0, 1, 4]).backward()
    loss = f(*there, [0, 1, 4])
    loss.backward()
    assert loss.data.is_cuda
    for a, b in zip(here, there, strict=True):
        assert b.grad.is_cuda
        torch.testing.assert_close(b.grad.cpu(), a.grad, rtol=1e-10, atol=1e-12)
