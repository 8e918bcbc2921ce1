"""The assignment ``perceptron``: its oracles against a second method, the worked examples, theorem and milestone."""

from __future__ import annotations

import itertools
import re
from fractions import Fraction

import numpy as np
import pytest
from scipy.optimize import minimize

from autograder import assignments
from neuralnotes.tasks import perceptron as records
from neuralnotes.tasks.judging import Judge


@pytest.fixture(scope="module")
def solution() -> dict:
    return assignments.solution_functions("perceptron")


def same(a, b, **tolerance):
    np.testing.assert_allclose(np.asarray(a), np.asarray(b), **({"rtol": 1e-9, "atol": 1e-12} | tolerance))


def float64_cases(task, seeds=range(3)):
    """The cases whose arguments are float64 and for which there is an answer, with the answer."""
    for seed in seeds:
        for prepared in Judge(task, seed=seed).cases:
            arguments = (*prepared.case.arguments, *prepared.case.keywords.values())
            single = any(isinstance(a, np.ndarray) and a.dtype == np.float32 for a in arguments)
            if not single and not prepared.raises:
                yield prepared.case, prepared.expected


# --- the oracles against another method -------------------------------------------------------------------------------


def perceptron_in_fractions(x, y, w, b, rate=1, passes=1):
    """The rule itself, in exact arithmetic: weights, bias, and corrections until a pass is right or all are over."""
    w, b, rate = [Fraction(float(v)) for v in w], Fraction(float(b)), Fraction(float(rate))
    rows = [[Fraction(float(v)) for v in row] for row in x]
    mistakes = 0
    for _ in range(passes):
        before = mistakes
        for row, sign in zip(rows, [int(v) for v in y], strict=True):
            if sign * (sum(p * q for p, q in zip(row, w, strict=True)) + b) <= 0:
                w = [p + rate * sign * q for p, q in zip(w, row, strict=True)]
                b += rate * sign
                mistakes += 1
        if mistakes == before:
            break
    return [float(v) for v in w], float(b), mistakes


def test_the_epoch_oracle_agrees_with_the_rule_in_exact_arithmetic():
    for case, (w, b, mistakes) in float64_cases(records.EPOCH):
        exact = perceptron_in_fractions(*case.arguments, **case.keywords)
        assert exact[2] == mistakes, case.name
        same(w, exact[0])
        same(b, exact[1], atol=1e-9)


def test_the_mistakes_of_the_theorem_are_those_of_the_rule_in_exact_arithmetic():
    seen = []
    for case, (mistakes, bound) in float64_cases(records.NOVIKOFF):
        x, y, *_ = case.arguments
        exact = perceptron_in_fractions(x, y, np.zeros(x.shape[1]), 0.0, passes=100_000)
        assert exact[2] == mistakes, case.name
        assert 1 <= mistakes <= bound * (1 + 1e-9), case.name  # Novikoff's theorem
        seen.append(mistakes)
    assert max(seen) > 50


def test_no_row_of_an_ordinary_problem_is_nearly_on_a_line():
    """Else the count of the mistakes would depend on the order in which a student adds up."""
    for task in (records.EPOCH, records.NOVIKOFF):
        for seed in range(10):
            for prepared in Judge(task, seed=seed).cases:
                if prepared.raises:
                    continue
                x, y, w, b, *rate = prepared.case.arguments
                rate = prepared.case.keywords.get("rate", rate[0] if rate else 1.0)
                if task is records.NOVIKOFF:
                    w, b = np.zeros(len(w)), 0.0
                x, w = x.astype(np.float64), np.array(w, dtype=np.float64)
                scale = 1 + np.abs(x).max(initial=0.0)
                if not w.any() and b == 0:
                    scale *= rate  # from 0 the rate is a unit of all sums
                for _ in range(1 if task is records.EPOCH else 20):
                    for row, sign in zip(x, y, strict=True):
                        z = row @ w + b
                        assert z == 0 or abs(z) > 1e-9 * scale, (task.id, seed, prepared.case.name)
                        if sign * z <= 0:
                            w, b = w + rate * sign * row, b + rate * sign


def test_the_delta_oracle_agrees_with_the_rule_in_exact_arithmetic():
    for case, expected in float64_cases(records.DELTA):
        x, y, w, rate = (*case.arguments, *case.keywords.values())
        w, rate = [Fraction(float(v)) for v in w], Fraction(float(rate))
        for row, target in zip(x, y, strict=True):
            row = [Fraction(float(v)) for v in row]
            error = Fraction(float(target)) - sum(p * q for p, q in zip(row, w, strict=True))
            w = [p + rate * error * q for p, q in zip(w, row, strict=True)]
        same(expected, [float(v) for v in w], rtol=1e-8)


def test_the_delta_rule_goes_down_half_the_squared_error():
    rng = np.random.default_rng(4)
    row, target, w, h = rng.normal(size=3), 0.7, rng.normal(size=3), 1e-6
    slopes = [
        ((target - row @ (w + h * e)) ** 2 - (target - row @ (w - h * e)) ** 2) / (4 * h) for e in np.eye(3)
    ]
    same(records.delta_oracle(row[None], [target], w, 0.3), w - 0.3 * np.array(slopes), rtol=1e-7)


def test_the_logistic_oracle_agrees_with_the_formulas_and_with_differences():
    for case, (loss, dw, db) in float64_cases(records.LOGISTIC):
        x, y, w, b = (*case.arguments, *case.keywords.values())
        z = x @ w + b
        if np.abs(z).max() < 30:
            p = 1 / (1 + np.exp(-z))
            same(loss, -np.mean(y * np.log(p) + (1 - y) * np.log(1 - p)))
            same(dw, x.T @ (p - y) / len(x))
            same(db, np.mean(p - y))
        else:
            same(loss, np.mean(np.where(y == 1, np.maximum(-z, 0), np.maximum(z, 0))), rtol=1e-6)
    x, y, w, b = records._binary(np.random.default_rng(3), 6, 3)

    def loss_at(v):
        return records.logistic_oracle(x, y, v[:-1], v[-1])[0]

    _, dw, db = records.logistic_oracle(x, y, w, b)
    same([*dw, db], differences(loss_at, np.append(w, b)), rtol=1e-6)


def test_the_softmax_oracle_agrees_with_the_formulas_and_with_differences():
    for case, (loss, dw, db) in float64_cases(records.SOFTMAX):
        x, labels, w, b, *decay = case.arguments
        decay = case.keywords.get("weight_decay", decay[0] if decay else 0.0)
        z = x @ w + b
        if np.abs(z).max() < 30:
            p = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
            y = np.eye(len(b))[labels]
            same(loss, -np.mean(np.sum(y * np.log(p), axis=1)) + decay / 2 * np.sum(w**2))
            same(dw, x.T @ (p - y) / len(x) + decay * w)
            same(db, np.mean(p - y, axis=0))
    x, labels, w, b = records._several(np.random.default_rng(5), 7, 2, 3)

    def loss_at(v):
        return records.softmax_oracle(x, labels, v[:6].reshape(2, 3), v[6:], 0.2)[0]

    _, dw, db = records.softmax_oracle(x, labels, w, b, 0.2)
    same([*dw.ravel(), *db], differences(loss_at, np.concatenate([w.ravel(), b])), rtol=1e-6, atol=1e-9)


def differences(f, v, h=1e-6):
    return np.array([(f(v + h * e) - f(v - h * e)) / (2 * h) for e in np.eye(len(v))])


def test_two_classes_of_softmax_regression_are_logistic_regression():
    rng = np.random.default_rng(6)
    x, y, w, b = records._binary(rng, 8, 3)
    both = np.stack([np.zeros(3), w], axis=1), np.array([0.0, b])
    loss, dw, db = records.softmax_oracle(x, y, *both)
    logistic = records.logistic_oracle(x, y, w, b)
    same(loss, logistic[0])
    same(dw, np.stack([-logistic[1], logistic[1]], axis=1))
    same(db, [-logistic[2], logistic[2]])


def test_predictions_on_the_line_are_exact():
    for case, labels in float64_cases(records.PREDICT):
        if case.name == "rows on the line":
            x, w, b = case.arguments
            assert np.sum(x @ w + b == 0) == 5 and labels.tolist() == [1] * 6
    huge = next(c for c in records.predict_hidden(np.random.default_rng(0)) if c.name == "huge numbers")
    assert np.all(np.isfinite(huge.arguments[0] @ huge.arguments[1]))


# --- numbers that can be worked out by hand ---------------------------------------------------------------------------


def test_the_worked_examples(solution):
    rows = np.array([[0.0, 0.0], [1.0, 2.0], [2.0, 1.0]])
    assert solution["perceptron_predict"](rows, np.array([3.0, 4.0]), -10.0).tolist() == [-1, 1, 1]

    w, b, mistakes = solution["perceptron_epoch"](*records._epoch_example())
    assert (w.tolist(), b, mistakes) == ([-2, 1], 0, 2)
    assert records.epoch_oracle(*records._epoch_example())[2] == 2

    for novikoff in (solution["novikoff"], records.novikoff_oracle):
        mistakes, bound = novikoff(*records._novikoff_example())
        assert mistakes == 2
        assert bound == pytest.approx(4)

    x, y, guess, rate = records._cafe()
    prices = solution["delta_rule"](x, y, guess, rate)
    same(x @ guess, 5.0)
    same(prices, [1.0, 0.7, 0.8])
    same(x @ prices, 8.8)
    same(x @ np.array([0.5, 1.5, 1.0]), y)  # the true prices of the play cell

    e = np.e
    p = e**2 / (1 + e**2)
    loss, dw, db = solution["logistic_gradient"](*records._logistic_example())
    same(loss, (np.log(2) + np.log(1 + e**2)) / 2)
    same(dw, [-0.5, -0.25 - p / 2])
    same(db, (p - 0.5) / 2)

    loss, dw, db = solution["softmax_regression_gradient"](*records._softmax_example())
    same(loss, np.log(2))
    same(dw, [[-0.5, 0.5], [-1.0, 1.0]])
    same(db, [-0.5, 0.5])
    decayed = solution["softmax_regression_gradient"](*records._softmax_example(), weight_decay=0.1)
    same(decayed[0], np.log(2) + 0.1)
    same(decayed[1], [[-0.4, 0.5], [-1.0, 1.1]])


def test_the_numbers_that_the_notebook_prints_for_its_examples():
    cells = assignments.read_source("perceptron").cells
    text = " ".join(cell.source for cell in cells if cell.cell_type == "markdown")
    z = np.array([0.0, 2.0])
    loss, dw, db = records.logistic_oracle(*records._logistic_example())
    printed = [(1 / (1 + np.exp(-2)), 4), *((v, 4) for v in np.log1p(np.exp(z))), (loss, 4), (db, 4)]
    printed += [(v, 4) for v in dw]
    for value, digits in printed:
        number = f"{value:.{digits}f}"
        assert re.search(rf"(?<![\d.]){re.escape(number)}(?!\d)", text), number
    tasks = [(t.minutes, t.points) for t in records.TASKS]
    assert (sum(m for m, _ in tasks), sum(p for _, p in tasks)) == (190, 28)  # "a little over three hours, 28 points"
    required = {name: f"{100 * share:.0f} %" for name, share in records.REQUIRED.items()}
    words = f"at least {required['perceptron']} right with the perceptrons, at least {required['softmax']} with softmax"
    assert words in " ".join(text.split())


def test_the_and_of_the_statement_is_an_and():
    rows = records.parity_oracle(2)["rows"]
    network = np.eye(2), np.array([-1.0, -1.0]), np.ones(2), -2.0
    assert records.threshold_network(rows, network).tolist() == [0, 0, 0, 1]


# --- sloppy answers ---------------------------------------------------------------------------------------------------


def diagnosis(task, function) -> str:
    judge = Judge(task)
    with np.errstate(all="ignore"):
        return judge.judge(judge.run_here(function)).diagnosis


@pytest.mark.parametrize("smallest", [1e-100, 1e-15, 1e-7])
def test_a_probability_that_is_kept_from_0_is_recognized_whatever_the_bound(smallest):
    def logistic(x, y, w, b):
        p = 1 / (1 + np.exp(-(x @ w + b)))
        kept = np.clip(p, smallest, 1 - 1e-15)
        loss = -np.mean(y * np.log(kept) + (1 - y) * np.log(1 - kept))
        return loss, x.T @ (p - y) / len(x), np.mean(p - y)

    def softmax(x, labels, w, b, weight_decay=0.0):
        z = x @ w + b
        p = np.exp(z - z.max(axis=1, keepdims=True))
        p /= p.sum(axis=1, keepdims=True)
        error = (p - np.eye(len(b))[labels]) / len(x)
        loss = -np.log(np.maximum(p[np.arange(len(x)), labels], smallest)).mean()
        return loss + weight_decay / 2 * np.sum(w**2), x.T @ error + weight_decay * w, error.sum(axis=0)

    assert diagnosis(records.LOGISTIC, logistic) == "clipped"
    assert diagnosis(records.SOFTMAX, softmax) == "clipped"


def test_a_loop_with_a_limit_on_its_passes_loses_points():
    x, y, w, b = records._NEAR
    *_, mistakes = perceptron_in_fractions(x, y, [0.0], 0.0, passes=1026)
    assert mistakes == records.novikoff_oracle(x, y, w, b)[0]  # the 1026th pass has the last mistake
    *_, mistakes = perceptron_in_fractions(x, y, [0.0], 0.0, passes=1025)
    assert mistakes < records.novikoff_oracle(x, y, w, b)[0]


def test_a_tolerance_around_the_line_loses_points():
    def predict(x, w, b):
        z = x @ w + b
        return np.where((z > 0) | np.isclose(z, 0), 1, -1)

    def epoch(x, y, w, b, rate=1.0):
        mistakes = 0
        for row, label in zip(x, y, strict=True):
            if label * (row @ w + b) <= 1e-10:
                w, b, mistakes = w + rate * label * row, b + rate * label, mistakes + 1
        return w, b, mistakes

    assert diagnosis(records.PREDICT, predict) == "nudged-sign"
    assert diagnosis(records.EPOCH, epoch) == "tolerance"


# --- XOR --------------------------------------------------------------------------------------------------------------

TABLES = [(0, 1, 1, 0), (1, 0, 0, 1)]  # XOR and its opposite: the only two that no single unit computes


def test_only_xor_and_its_opposite_need_two_layers():
    rows = records.parity_oracle(2)["rows"]
    found = {
        tuple((rows @ np.array([u, v]) + b >= 0).astype(int).tolist())
        for u, v, b in itertools.product(np.arange(-2, 2.5, 0.5), repeat=3)
    }
    assert set(itertools.product([0, 1], repeat=4)) - found == set(TABLES)


@pytest.mark.parametrize("n", range(1, 9))
def test_the_solution_computes_the_parity_of_any_number_of_inputs(solution, n):
    table = records.parity_oracle(n)
    assert table["odd"].tolist() == [sum(row) % 2 for row in table["rows"].tolist()]
    assert records.threshold_network(table["rows"], solution["xor_by_hand"](n)).tolist() == table["odd"].tolist()


def test_a_network_is_judged_by_its_answers(solution):
    case = records.parity_visible(None)[0]
    w1, b1, w2, b2 = solution["xor_by_hand"]()

    def problem(value):
        found = records.compare_networks(case, records.parity_oracle(), value)
        return found.summary if found else ""

    assert problem((w1, b1, w2, b2)) == problem([w1.astype(int), b1, w2, np.float32(b2)]) == ""
    # every network of small weights: right ones pass whatever they look like, and are no rarity
    right = 0
    values = (-1.0, 1.0)
    for weights in itertools.product(values, repeat=4):
        for biases in itertools.product((-1.5, -0.5, 0.5, 1.5), repeat=3):
            for out in itertools.product(values, repeat=2):
                network = np.array(weights).reshape(2, 2), np.array(biases[:2]), np.array(out), biases[2]
                answers = [
                    int(sum(v * (row @ network[0][:, j] + biases[j] >= 0) for j, v in enumerate(out)) + biases[2] >= 0)
                    for row in np.array([[0, 0], [0, 1], [1, 0], [1, 1]])
                ]
                assert (problem(network) == "") == (answers == [0, 1, 1, 0])
                right += answers == [0, 1, 1, 0]
    assert right > 10
    assert "w1 should have the shape (2, 2)" in problem((w1[:, :1], b1, w2, b2))
    assert "w2 should have the shape (2,)" in problem((w1, b1, w2[:, None], b2))
    assert "b2 should be a number" in problem((w1, b1, w2, "-0.5"))
    assert "b2 should be a number" in problem((w1, b1, w2, True))
    assert "b2 should be a number" in problem((w1, b1, w2, np.array([b2])))
    assert "w1 should be a NumPy array" in problem((w1.tolist(), b1, w2, b2))
    assert "finite" in problem((w1 * np.inf, b1, w2, b2))
    assert "finite" in problem((w1 + 0j, b1, w2, b2))
    assert "(w1, b1, w2, b2)" in problem((w1, b1, w2))
    assert "1 of 4 rows" in problem((w1, b1, np.array([1.0, 0.0]), b2))


# --- the milestone ----------------------------------------------------------------------------------------------------


def test_the_recipe_of_the_milestone_has_room_to_spare(solution):
    reached = {"perceptron": [], "softmax": []}
    for seed in range(6):
        for prepared in Judge(records.TRAIN, seed=seed).cases:
            x, labels, method, epochs, rate, number = prepared.case.arguments
            if method == "softmax" and seed > 0:
                continue  # nothing in it is random
            w, b = solution["train_digits"](x, labels, method, epochs, rate, number + 7 * seed)
            held_out = prepared.expected["x"], prepared.expected["labels"]
            reached[method].append(records.digits_accuracy(*held_out, w, b))
            if method == "softmax":
                assert records.held_out_loss(*held_out, w, b) < records.ALLOWED_LOSS - 0.05, prepared.case.name
    assert min(reached["perceptron"]) > records.REQUIRED["perceptron"] + 0.015
    assert min(reached["softmax"]) > records.REQUIRED["softmax"] + 0.015


def test_the_mean_of_the_weights_is_better_than_the_last_ones(solution):
    images, labels = records.digit_rows()
    x, y, x_test, y_test = images[:300], labels[:300], images[-600:], labels[-600:]
    last, mean = [], []
    for seed in range(8):
        ends, weights = [], (np.zeros((64, 10)), np.zeros(10))
        for one_pass in range(6):
            # one pass from given weights: the classes' perceptrons do not meet
            order = np.random.default_rng([seed, one_pass]).permutation(len(x))
            columns = [
                solution["perceptron_epoch"](x[order], np.where(y[order] == k, 1, -1), weights[0][:, k], weights[1][k])
                for k in range(10)
            ]
            weights = np.stack([c[0] for c in columns], axis=1), np.array([c[1] for c in columns])
            ends.append(weights)
        last.append(records.digits_accuracy(x_test, y_test, *weights))
        averages = (np.mean(part, axis=0) for part in zip(*ends, strict=True))
        mean.append(records.digits_accuracy(x_test, y_test, *averages))
    assert np.mean(mean) > np.mean(last) + 0.01
    assert np.std(mean) < np.std(last)


def test_a_classifier_is_judged_by_what_it_reads(solution):
    prepared = Judge(records.TRAIN, hidden=False).cases[1]
    assert prepared.case.arguments[2] == "softmax"
    w, b = solution["train_digits"](*prepared.case.arguments)

    def problem(*value):
        found = records.TRAIN.compare(prepared.case, prepared.expected, value)
        return found.summary if found else ""

    assert problem(w, b) == ""
    assert problem(1.1 * w, 1.1 * b) == ""
    assert "mean loss" in problem(30 * w, 30 * b)
    assert "mean loss" in problem(0.05 * w, 0.05 * b)
    assert "(w, b)" in problem(w)
    assert "shape" in problem(w, b[:, None])
    assert "shape" in problem(w.T, b)
    assert "float64" in problem(w.astype(np.float32), b)
    assert "float64" in problem(w.tolist(), b)
    assert "nan or inf" in problem(w * np.nan, b)
    assert "% of the held-out rows are right" in problem(w[:, ::-1].copy(), b)


def test_the_digits_that_are_graded_are_held_out():
    images, _ = records.digit_rows()
    trained = {image.tobytes() for image in images[: records.TRAINED]}
    assert not any(image.tobytes() in trained for image in images[-records.HELD_OUT :])


def test_the_clouds_need_their_biases():
    x, labels = records._two_clouds(np.random.default_rng(30), 80)
    angles = np.linspace(0, 2 * np.pi, 720)
    lines = np.stack([np.cos(angles), np.sin(angles)])
    best = max(np.mean((x @ lines > 0) == labels[:, None], axis=0))  # of all lines through the origin
    assert best < records.REQUIRED["perceptron"] - 0.1


# --- what the written answers say -------------------------------------------------------------------------------------


def test_written_answer_1_is_true(solution):
    rng = np.random.default_rng(0)
    near = np.concatenate([rng.normal(size=(40, 2)) - 0.5, rng.normal(size=(40, 2)) + 0.5])
    y = np.repeat([0, 1], 40)
    w, b = np.zeros(2), 0.0
    for _ in range(200):  # every pass over overlapping clouds has a correction
        w, b, mistakes = solution["perceptron_epoch"](near, 2 * y - 1, w, b)
        assert mistakes > 0

    def loss_of(x):
        return lambda v: solution["logistic_gradient"](x, y, v[:2], v[2])[0]

    lowest = minimize(loss_of(near), np.zeros(3), tol=1e-10).x
    assert np.linalg.norm(lowest) < 10
    w, b = np.zeros(2), 0.0
    for _ in range(3000):
        _, dw, db = solution["logistic_gradient"](near, y, w, b)
        w, b = w - 0.5 * dw, b - 0.5 * db
    same([*w, b], lowest, atol=1e-3)

    far = near + np.where(y[:, None] == 1, 4.0, -4.0)
    w, b = np.zeros(2), 0.0
    for _ in range(20):
        w, b, mistakes = solution["perceptron_epoch"](far, 2 * y - 1, w, b)
    assert mistakes == 0
    v, lengths, losses = np.zeros(3), [], []
    for step in range(1, 20_001):
        _, dw, db = solution["logistic_gradient"](far, y, v[:2], v[2])
        v = v - 0.5 * np.append(dw, db)
        if step in (200, 2000, 20_000):
            lengths.append(np.linalg.norm(v))
            losses.append(loss_of(far)(v))
    assert lengths[0] < lengths[1] - 0.2 and lengths[1] < lengths[2] - 0.2
    assert losses[0] > losses[1] > losses[2]
    assert loss_of(far)(2 * v) < loss_of(far)(v)


def test_written_answer_2_is_true(solution):
    w1, b1, w2, b2 = solution["xor_by_hand"]()
    hidden = (records.parity_oracle(2)["rows"] @ w1 + b1 >= 0).astype(int)
    assert hidden.tolist() == [[0, 0], [1, 0], [1, 0], [1, 1]]
    assert (w2.tolist(), b2) == ([1, -1], -0.5)
