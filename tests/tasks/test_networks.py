"""What is special to the assignment ``networks``: its oracles against second methods, its numbers, its milestone."""

from __future__ import annotations

import re

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression

from autograder import assignments
from neuralnotes.tasks import drivers, networks
from neuralnotes.tasks.judging import Judge
from tests.tasks.alternatives_networks import ALTERNATIVES


@pytest.fixture(scope="module")
def solution() -> dict:
    return assignments.solution_functions("networks")


def text() -> str:
    return "\n".join(c.source for c in assignments.read_source("networks").cells if c.cell_type == "markdown")


def relu(z):
    return np.maximum(z, 0)


def test_the_worked_numbers_of_the_statements(solution):
    forward = solution["mlp_forward"](*networks._EXAMPLE, relu)
    np.testing.assert_allclose(forward[0], [[1, 0, 5]])
    np.testing.assert_allclose(forward[1], [[-3.5]])

    for temperature in (1.0, 10.0):
        shares = networks._temperature_oracle(np.array([2.0, 1.0, -1.0]), temperature)
        assert "[" + ", ".join(f"{share:.3f}" for share in shares) + "]" in text()

    x, targets, w1, b1 = networks._fit_example()
    w2, b2 = networks._fit_oracle(x, targets, w1, b1)
    np.testing.assert_allclose([w2[0, 0], b2[0]], [2, 1], rtol=1e-9)
    w2, b2 = networks._fit_oracle(x, targets, w1, b1, 0.1)
    assert re.search(rf"shrinks to {w2[0, 0]:.3f}, and the bias makes up for it: {b2[0]:.3f}\.", text())

    together = sum(task.minutes for task in networks.TASKS) + 20, sum(task.points for task in networks.TASKS) + 4
    assert f"| **together** | **{together[0]}** | **{together[1]:g}** |" in text()


# --- oracles ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["sigmoid", "tanh", "relu", "leaky_relu", "softplus"])
def test_the_slopes_are_those_of_the_values(name):
    z = np.array([-3.0, -0.7, 0.4, 2.5])
    h = 1e-6
    above, below = networks._activation_oracle(name, z + h)[0], networks._activation_oracle(name, z - h)[0]
    np.testing.assert_allclose(networks._activation_oracle(name, z)[1], (above - below) / (2 * h), rtol=1e-7, atol=1e-9)


def test_the_values_and_conventions_of_the_activations():
    at = {name: tuple(float(v) for v in networks._activation_oracle(name, np.zeros(())))
          for name in ("sigmoid", "tanh", "relu", "leaky_relu", "softplus")}
    assert at == {"sigmoid": (0.5, 0.25), "tanh": (0, 1), "relu": (0, 0), "leaky_relu": (0, 0.01),
                  "softplus": (pytest.approx(np.log(2)), 0.5)}
    # tanh is a sigmoid, stretched
    z = np.linspace(-3, 3, 13)
    (tanh, slope), (sigmoid, half) = (networks._activation_oracle(*a) for a in (("tanh", z), ("sigmoid", 2 * z)))
    np.testing.assert_allclose(tanh, 2 * sigmoid - 1, atol=1e-15)
    np.testing.assert_allclose(slope, 4 * half, atol=1e-15)


def test_the_forward_oracle_agrees_with_sums_by_hand():
    rng = np.random.default_rng(1)
    x, weights, biases = networks._network(rng, 3, 4, 2, 2)
    outputs = networks._forward_oracle(x, weights, biases, "tanh")
    for i, row in enumerate(x):
        read = list(row)
        for number, (w, b) in enumerate(zip(weights, biases, strict=True)):
            read = [sum(read[j] * w[j, m] for j in range(len(read))) + b[m] for m in range(len(b))]
            read = [float(np.tanh(z)) for z in read] if number < 2 else read
            np.testing.assert_allclose(outputs[number][i], read, rtol=1e-12)


def test_the_driver_and_the_oracle_mean_the_same_activations():
    rng = np.random.default_rng(2)
    arguments = networks._network(rng, 3, 4, 5, 2)
    for name in ("tanh", "relu", "sigmoid", "square", "cosine"):
        for given in ({"arguments": (name,)}, {"keywords": {"activation": name}}):
            mine = drivers.with_activation(
                networks._forward_right, *arguments, *given.get("arguments", ()), **given.get("keywords", {})
            )
            for a, b in zip(mine, networks._forward_oracle(*arguments, name), strict=True):
                np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-12)


def test_the_counts_of_the_notes():
    counts = {(3, 4, 2): 26, (3, 4, 4, 1): 41, (5, 7, 7, 7, 7, 4): 242, (4, 5, 7, 3): 91}
    assert {sizes: networks._count_oracle(sizes) for sizes in counts} == counts
    assert networks._count_oracle([4, 5, 7, 3], bias=False) == 76


def test_the_temperature_oracle_agrees_with_torch_and_has_the_right_limits():
    rng = np.random.default_rng(3)
    z = rng.normal(size=(4, 3, 5))
    for temperature in (0.3, 1.0, 10.0):
        np.testing.assert_allclose(
            networks._temperature_oracle(z, temperature),
            torch.softmax(torch.from_numpy(z) / temperature, dim=-1).numpy(), rtol=1e-12,
        )
    ties = np.array([2.0, 1.0, 2.0])
    np.testing.assert_array_equal(networks._temperature_oracle(ties, 0.0), [0.5, 0, 0.5])
    np.testing.assert_array_equal(networks._temperature_oracle(ties, 1e-300), [0.5, 0, 0.5])
    np.testing.assert_allclose(networks._temperature_oracle(ties, float("inf")), 1 / 3)


@pytest.mark.parametrize("depth", range(7))
def test_the_zigzag_is_right(depth):
    expected = networks._sawtooth_oracle(depth)  # with the tip in the middle, by remainders
    if depth:
        np.testing.assert_allclose(expected["y"], 1 - np.abs(1 - np.mod(2.0**depth * expected["x"], 2.0)), atol=1e-12)
    for tip in (0.5, 0.3, 0.85):
        # a corner is what the two branches of the tent send to an older one; between corners the curve is straight
        corners = np.array([0.0, 1.0])
        for _ in range(depth):
            corners = np.sort(np.append(tip * corners, (1 - (1 - tip) * corners)[:-1]))
        assert len(corners) == 2**depth + 1
        expected = networks._sawtooth_oracle(depth, tip)
        np.testing.assert_allclose(
            expected["y"], np.interp(expected["x"], corners, np.arange(len(corners)) % 2), atol=1e-9)


def test_the_fitted_output_layer_is_where_the_gradient_of_the_stated_loss_is_zero():
    for prepared in Judge(networks.FIT_OUTPUT_LAYER).cases:
        arguments = [torch.from_numpy(np.array(a, dtype=np.float64)) for a in prepared.case.arguments[:4]]
        decay = (*prepared.case.arguments[4:], *prepared.case.keywords.values(), 0.0)[0]
        x, targets, w1, b1 = arguments
        w2, b2 = (torch.from_numpy(a.astype(np.float64)).requires_grad_() for a in prepared.expected)
        error = torch.tanh(x @ w1 + b1) @ w2 + b2 - targets
        loss = (error**2).sum() / (2 * len(x)) + decay / 2 * (w2**2).sum()
        for gradient in torch.autograd.grad(loss, (w2, b2)):
            assert float(gradient.abs().max()) < 1e-8, prepared.case.name


# --- networks that are judged by what they compute --------------------------------------------------------------------


def test_an_interpolating_network_is_judged_between_and_beyond_its_points():
    knots = np.array([0.0, 1.0, 3.0])
    case = networks.Case("three points", (knots, np.array([1.0, 3.0, 2.0])), edge=True)
    expected = networks._interpolate_oracle(*case.arguments)
    w1, b1, w2, b2 = network = networks._interpolate_right(*case.arguments)

    def problem(value):
        found = networks._compare_interpolation(case, expected, value)
        return found.summary if found else ""

    assert problem(network) == problem(list(network)) == ""
    assert "(w1, b1, w2, b2)" in problem((w1, b1, w2))
    assert "w1 should have the shape (1, any)" in problem((w1.T, b1, w2, b2))
    assert "w2 should have the shape (3, 1)" in problem((w1, b1, w2.T, b2))
    assert "float64" in problem((w1.astype(np.float32), b1, w2, b2))
    assert "4 hidden units" in problem((np.ones((1, 4)), np.zeros(4), np.zeros((4, 1)), b2))
    assert "nan or inf" in problem((w1, b1, w2 * np.nan, b2))
    assert problem((w1, b1, w2, b2 + 0.01)) == "the network's output is wrong"
    flat = w2.copy()
    flat[-1] = 0
    assert "beyond" in problem((w1, b1, flat, b2))
    step = np.array([[1.0, 2.0, 2.0, 0.0]])  # right at the points, wrong between them
    assert problem((np.ones((1, 3)), np.array([0.0, -0.5, -1.0]), step[:, 1:].T, b2))


def test_a_deep_network_is_judged_by_its_layers_and_its_zigzag():
    case = networks.Case("depth 3", (3,))
    weights, biases = networks._sawtooth_right(3)

    def problem(value):
        found = networks._compare_sawtooth(case, networks._sawtooth_oracle(3), value)
        return found.summary if found else ""

    assert problem((weights, biases)) == problem([tuple(weights), tuple(biases)]) == ""
    assert problem(([np.rint(w).astype(np.int64) for w in weights], biases)) == ""  # a 2 is as good as a 2.0
    assert "float64" in problem(([w.astype(np.float32) for w in weights], biases))
    assert "(weights, biases)" in problem(weights)
    assert "4 arrays" in problem((weights[:-1], biases))
    assert "biases should be a list" in problem((weights, biases[0]))
    assert "weights[1] should have the shape (2, any)" in problem((
        [weights[0], np.ones((3, 2)), *weights[2:]], biases))
    assert "biases[3] should have the shape (1,)" in problem((weights, [*biases[:-1], np.zeros((1, 1))]))
    three = [np.ones((1, 3)), np.ones((3, 2)), *weights[2:]]
    assert "hidden layer 1 has 3 units" in problem((three, [np.zeros(3), *biases[1:]]))
    assert problem((weights, [*biases[:-1], np.array([0.1])])) == "the network's output is wrong"
    assert "nan or inf" in problem((weights, [*biases[:-1], np.array([np.inf])]))


def test_a_mistake_is_recognized_however_it_is_written():
    """Slopes in the place of their changes, in a network whose units are scaled: other arrays, the same curve."""
    judge = Judge(networks.INTERPOLATE_WITH_RELUS)

    def wrong(knots, values):
        slopes = np.append(np.diff(values) / np.diff(knots), 0.0)
        return np.full((1, len(knots)), 2.0), -2 * knots, slopes[:, None] / 2, values[:1] + 0.0

    assert judge.judge(judge.run_here(wrong)).diagnosis == "slopes-not-changes"


# --- the milestone ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(6))
def test_honest_networks_pass_with_room_to_spare(solution, seed):
    judge = Judge(networks.TRAIN_BOUNDARY, seed=seed)
    for prepared in judge.cases:
        for train in (solution["train_boundary"], *ALTERNATIVES["train_boundary"]):
            reached = networks.boundary_accuracy(
                prepared.expected["x"], prepared.expected["labels"], *train(*prepared.case.arguments)
            )
            assert reached > networks.REQUIRED_ACCURACY + 0.01, (prepared.case.name, train.__name__)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("2 * rng.normal(size=(2", "1 * rng.normal(size=(2"), ("2 * rng.normal(size=(2", "4 * rng.normal(size=(2"),
        ("1e-3 * np", "1e-2 * np"), ("1e-3 * np", "1e-4 * np"),
    ],
)
def test_no_exact_scale_and_no_exact_weight_decay_have_to_be_found(old, new):
    train = networks.variant(networks._boundary_right, old, new)
    for prepared in Judge(networks.TRAIN_BOUNDARY).cases:
        problem = networks._compare_boundary(prepared.case, prepared.expected, train(*prepared.case.arguments))
        assert problem is None, (prepared.case.name, problem.summary)


def test_a_linear_model_gets_what_the_statement_says():
    for kind, percent in ((networks.MOONS, 88), (networks.RINGS, 51), (networks.SPIRALS, 69)):
        model = LogisticRegression(C=1e4).fit(*networks.boundary_points(kind, 600, 1))
        score = model.score(*networks.boundary_points(kind, networks.HELD_OUT, 2718))
        assert 100 * score == pytest.approx(percent, abs=1.0)
        assert score < networks.REQUIRED_ACCURACY - 0.05
    assert "A linear model gets 88 %, 51 % and 69 %" in text().replace("\n", " ")
    assert f"at least {networks.REQUIRED_ACCURACY:.0%}".replace("%", " %") in text().replace("\n", " ")


def test_without_weight_decay_as_many_units_as_points_fail():
    for seed in range(10):
        (case,) = (c for c in networks._boundary_hidden(np.random.default_rng(seed)) if "as many" in c.name)
        train = networks.variant(networks._boundary_right, networks._PENALIZED,
                                 "np.linalg.lstsq(wide, targets, rcond=None)[0]")
        problem = networks._compare_boundary(case, networks._boundary_oracle(*case.arguments), train(*case.arguments))
        assert "held-out points are right" in problem.summary


def test_the_points_that_are_graded_are_held_out_and_of_the_same_kind():
    for prepared in Judge(networks.TRAIN_BOUNDARY).cases:
        x, labels, *_ = prepared.case.arguments
        held_out, classes = prepared.expected["x"], prepared.expected["labels"]
        assert not {row.tobytes() for row in x} & {row.tobytes() for row in held_out}
        assert set(classes) == set(labels)
        # each class lies in the same place
        for label in set(labels):
            spread = x.std(axis=0)
            np.testing.assert_allclose(
                x[labels == label].mean(axis=0) / spread, held_out[classes == label].mean(axis=0) / spread, atol=0.35)
            np.testing.assert_allclose(x.std(axis=0), held_out.std(axis=0), rtol=0.15)


def test_a_network_is_judged_by_what_it_classifies(solution):
    prepared = Judge(networks.TRAIN_BOUNDARY, hidden=False).cases[0]
    w1, b1, w2, b2 = network = solution["train_boundary"](*prepared.case.arguments)

    def problem(value):
        found = networks._compare_boundary(prepared.case, prepared.expected, value)
        return found.summary if found else ""

    assert problem(network) == problem(list(network)) == ""
    assert "b1 should have the shape (120,)" in problem((w1, b1[:, None], w2, b2))
    assert "w1 should have the shape (2, 120)" in problem((w1.T, b1, w2, b2))
    assert "(w1, b1, w2, b2)" in problem((w1, b1, w2))
    assert "float64" in problem((w1.astype(np.float32), b1, w2, b2))
    assert "nan or inf" in problem((w1, b1, w2 * np.nan, b2))
    assert "% of the held-out points are right" in problem((w1, b1, -w2, -b2))


# --- what the written answers and hints claim ------------------------------------------------------------------------


def test_no_network_comes_near_a_step_and_any_comes_near_a_smooth_curve(solution):
    x = np.concatenate([np.linspace(-1, 0, 2001) - 1e-12, np.linspace(0, 1, 2001)])
    errors = []
    for units in (10, 40, 160):
        knots = np.linspace(-1, 1, units)
        w1, b1, w2, b2 = solution["interpolate_with_relus"](knots, (knots >= 0).astype(float))
        errors.append(np.abs(relu(x[:, None] @ w1 + b1) @ w2 + b2 - (x >= 0)[:, None]).max())
    assert min(errors) > 0.4

    smooth = []
    for units in (17, 33, 65):
        knots = np.linspace(-1, 1, units)
        w1, b1, w2, b2 = solution["interpolate_with_relus"](knots, np.sin(3 * knots))
        smooth.append(np.abs(relu(x[:, None] @ w1 + b1) @ w2 + b2 - np.sin(3 * x)[:, None]).max())
    np.testing.assert_allclose(np.array(smooth[:-1]) / smooth[1:], 4, rtol=0.05)


def test_the_counts_of_the_deep_and_of_the_wide_network(solution):
    hand_on, bias = np.ones((1, 3)), np.array([0.0, -1 / 3, -2 / 3])
    read = np.array([[3.0], [-6.0], [6.0]])  # up, down, up
    for depth in (1, 2, 4, 6):
        weights, biases = [hand_on, *[read @ hand_on] * (depth - 1), read], [bias] * depth + [np.zeros(1)]
        assert sum(a.size for a in (*weights, *biases)) == 12 * depth - 2
        x = np.linspace(0, 1, 4 * 3**depth + 1)
        y = networks._relu_network(x, weights, biases)
        assert 1 + np.sum(np.abs(np.diff(y, 2)) > 1e-6) == 3**depth
    assert solution["count_parameters"]([1] + [3] * 6 + [1]) == 70
    assert solution["count_parameters"]([1, 728, 1]) == 2185
    assert "729 pieces from 70 parameters" in text() and "728 units and 2185 parameters" in text()


def test_the_example_of_the_tent_with_its_tip_at_a_quarter(solution):
    weights, biases = solution["sawtooth_network"](1, 0.25)
    y = networks._relu_network(np.array([0, 1 / 8, 1 / 4, 1 / 2, 3 / 4, 1]), weights, biases)
    np.testing.assert_allclose(y, [0, 1 / 2, 1, 2 / 3, 1 / 3, 0], atol=1e-12)


def test_a_slightly_wrong_first_weight_ruins_the_teeth(solution):
    weights, biases = solution["sawtooth_network"](10)
    x = np.random.default_rng(0).uniform(size=1000)
    right = networks._relu_network(x, weights, biases)
    weights[0] = weights[0] * 1.001
    assert np.abs(networks._relu_network(x, weights, biases) - right).mean() > 0.2
