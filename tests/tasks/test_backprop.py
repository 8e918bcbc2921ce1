"""What is special to the assignment ``backprop``: its oracles against second methods, and numbers found by hand."""

from __future__ import annotations

import numpy as np
import pytest

from autograder import assignments
from neuralnotes.tasks import backprop
from neuralnotes.tasks.judging import Judge


@pytest.fixture(scope="module")
def solution() -> dict:
    return assignments.solution_functions("backprop")


def differences(f, x, h=1e-6):
    grad = np.zeros(x.shape)
    for index in np.ndindex(x.shape):
        step = np.zeros(x.shape)
        step[index] = h
        grad[index] = (f(x + step) - f(x - step)) / (2 * h)
    return grad


def test_the_hand_made_example_of_weight_decay(solution):
    x, labels = np.array([[1.0, 2.0]]), np.array([0])
    w1, b1 = np.array([[1.0, -1.0], [0.0, 1.0]]), np.array([0.0, -2.0])
    w2, b2 = np.array([[1.0, 3.0], [5.0, 7.0]]), np.array([2.0, 0.0])
    loss, grads = solution["two_layer_gradients"](x, labels, w1, b1, w2, b2, weight_decay=0.1)
    assert loss == pytest.approx(np.log(2) + 4.35)
    np.testing.assert_allclose(grads["w1"], [[1.1, -0.1], [2.0, 0.1]])
    np.testing.assert_allclose(grads["b1"], [1.0, 0.0])
    np.testing.assert_allclose(grads["w2"], [[-0.4, 0.8], [0.5, 0.7]], atol=1e-15)
    np.testing.assert_allclose(grads["b2"], [-0.5, 0.5])


@pytest.mark.parametrize("kind", ["quadratic", "cubic", "sine", "wave"])
def test_the_exact_central_differences_are_what_differences_give(kind):
    rng = np.random.default_rng(3)
    x, c = rng.normal(size=(2, 3)), rng.normal(size=(2, 3))
    f = {
        "quadratic": lambda v: np.sum(c * v**2), "cubic": lambda v: np.sum(c * v**3),
        "sine": lambda v: np.sum(c * np.sin(v)), "wave": lambda v: np.sin(np.sum(c * v)),
    }[kind]
    for h in (0.5, 0.1, 1e-5):
        exact = backprop._numerical_oracle(kind, x, c, h)
        np.testing.assert_allclose(exact, differences(f, x, h), rtol=1e-8, atol=1e-9)


def test_the_worked_graphs_of_the_notes():
    worked = backprop._graph_visible(np.random.default_rng(0))[0].arguments[0]
    values, gradients = backprop._graph_oracle(worked)
    assert [values[k] for k in ("xy", "m", "s", "f")] == [-12, 2, -10, -20]
    assert [gradients[k] for k in ("x", "y", "z", "w")] == [-8, 6, 2, 0]

    def clipped(x, y, z):
        return [
            ("x", "input", x), ("y", "input", y), ("z", "input", z), ("zero", "input", 0.0), ("sum", "add", ("x", "y")),
            ("product", "mul", ("sum", "z")), ("f", "max", ("product", "zero")),
        ]

    _, active = backprop._graph_oracle(clipped(1.0, 2.0, 4.0))
    assert [active[k] for k in "xyz"] == [4, 4, 3]
    _, off = backprop._graph_oracle(clipped(1.0, 2.0, -4.0))
    assert [off[k] for k in "xyz"] == [0, 0, 0]


@pytest.mark.parametrize("seed", range(5))
def test_the_graph_oracle_agrees_with_differences(seed):
    nodes = backprop._random_graph(np.random.default_rng(seed), 4, 15)
    inputs = np.array([node[2] for node in nodes[:4]])

    def last(numbers):
        moved = [(name, op, float(number)) for (name, op, _), number in zip(nodes, numbers, strict=False)]
        return backprop._graph_oracle(moved + nodes[4:])[0][nodes[-1][0]]

    _, gradients = backprop._graph_oracle(nodes)
    mine = np.array([gradients[f"x{i}"] for i in range(4)])
    np.testing.assert_allclose(mine, differences(last, inputs), rtol=1e-5, atol=1e-6 * max(1, np.abs(mine).max()))


@pytest.mark.parametrize("seed", range(20))
def test_ordinary_graphs_have_no_ties(seed):
    for case in backprop._graph_hidden(np.random.default_rng(seed)):
        if not case.edge:
            (nodes,) = case.arguments
            values, _ = backprop._graph_oracle(nodes)
            for _, op, arguments in nodes:
                assert op != "max" or values[arguments[0]] != pytest.approx(values[arguments[1]])


def test_the_layer_oracles_agree_with_differences():
    rng = np.random.default_rng(5)
    dout, x, w, b = backprop._affine_backward_case(rng, 3, 4, 2)
    gradients = backprop._affine_backward_oracle(dout, x, w, b)
    for which, gradient in enumerate(gradients):

        def loss(v, which=which):
            arrays = [x, w, b]
            arrays[which] = v
            return np.sum(dout * (arrays[0] @ arrays[1] + arrays[2]))

        np.testing.assert_allclose(gradient, differences(loss, (x, w, b)[which]), rtol=1e-6, atol=1e-8)

    x, dout = rng.normal(size=(3, 4)), rng.normal(size=(3, 4))
    np.testing.assert_allclose(
        backprop._relu_oracle(dout, x), differences(lambda v: np.sum(dout * np.maximum(v, 0)), x), rtol=1e-6, atol=1e-8
    )
    assert backprop._relu_oracle(np.ones(1), np.zeros(1)) == 0

    logits, labels = rng.normal(size=(4, 3)), np.array([0, 2, 1, 1])
    loss, gradient = backprop._cross_entropy_oracle(logits, labels)
    by_hand = -np.mean(np.log(np.exp(logits)[np.arange(4), labels] / np.exp(logits).sum(axis=1)))
    assert loss == pytest.approx(by_hand)
    numerical = differences(lambda v: backprop._cross_entropy_oracle(v, labels)[0], logits)
    np.testing.assert_allclose(gradient, numerical, rtol=1e-6, atol=1e-8)


def test_the_two_layer_oracle_agrees_with_differences():
    case = backprop._two_layer_case(np.random.default_rng(6), 5, 3, 4, 3)
    _, gradients = backprop._two_layer_oracle(*case, weight_decay=0.3)
    for place, name in enumerate(("w1", "b1", "w2", "b2"), start=2):

        def loss(v, place=place):
            return backprop._two_layer_oracle(*case[:place], v, *case[place + 1 :], weight_decay=0.3)[0]

        np.testing.assert_allclose(gradients[name], differences(loss, case[place]), rtol=1e-5, atol=1e-8)


def test_the_recipe_of_the_milestone_has_room_to_spare(solution):
    judge = Judge(backprop.TRAIN_CLASSIFIER)
    for prepared in judge.cases:
        for seed in (5, 6):
            *arguments, _ = prepared.case.arguments
            network = solution["train_classifier"](*arguments, seed)
            held_out = prepared.expected["x"], prepared.expected["labels"]
            assert backprop.accuracy(*held_out, *network) > backprop.REQUIRED_ACCURACY + 0.01, prepared.case.name


def test_a_network_is_judged_by_what_it_reads(solution):
    prepared = Judge(backprop.TRAIN_CLASSIFIER, hidden=False).cases[0]
    network = solution["train_classifier"](*prepared.case.arguments)

    def problem(value):
        found = backprop._compare_network(prepared.case, prepared.expected, value)
        return found.summary if found else ""

    w1, b1, w2, b2 = network
    assert problem(network) == problem(list(network)) == ""
    assert "shape" in problem((w1, b1[:, None], w2, b2))
    assert "(w1, b1, w2, b2)" in problem((w1, b1, w2))
    assert "float64" in problem((w1.astype(np.float32), b1, w2, b2))
    assert "diverged" in problem((w1 * np.nan, b1, w2, b2))
    assert "% of the held-out examples are right" in problem((w1, b1, -w2, b2))


def test_the_digits_that_are_graded_are_held_out():
    images, _ = backprop._digits()
    trained = {image.tobytes() for image in images[: -backprop.HELD_OUT]}
    assert not any(image.tobytes() in trained for image in images[-backprop.HELD_OUT :])


def test_the_written_answers_are_true(solution):
    steps = np.logspace(-1, -13, 49)
    errors = [abs(solution["numerical_gradient"](lambda v: np.sin(v[0]), np.ones(1), h)[0] - np.cos(1)) for h in steps]
    best = np.argmin(errors)
    assert 1e-7 < steps[best] < 1e-4 and errors[best] < 1e-10
    assert errors[4] / errors[8] == pytest.approx(100, rel=0.05)  # a factor 10 of h on the right branch
    assert max(errors[40:]) > 1e-6

    rng = np.random.default_rng(0)
    x, labels = rng.normal(size=(30, 4)), rng.integers(0, 3, 30)

    def spread_after_training(w1, w2):
        """How far the columns of w1 are from each other."""
        parameters = {"w1": w1, "b1": np.zeros(5), "w2": w2, "b2": np.zeros(3)}
        for _ in range(50):
            _, grads = solution["two_layer_gradients"](x, labels, **parameters)
            parameters = {name: parameters[name] - 0.1 * grads[name] for name in parameters}
        assert np.abs(parameters["w1"] - w1).max() > 0.01  # it did move
        return np.ptp(parameters["w1"], axis=1).max()

    same1, same2 = np.full((4, 5), 0.1), np.full((5, 3), 0.1)
    random1, random2 = rng.normal(size=(4, 5)), rng.normal(size=(5, 3))
    assert spread_after_training(same1, same2) < 1e-12
    assert spread_after_training(same1, random2) > 0.01
    assert spread_after_training(random1, same2) > 0.01
