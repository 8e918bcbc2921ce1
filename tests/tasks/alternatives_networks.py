"""Right answers to the assignment ``networks`` in other styles than the solution's. Each stands alone."""

from __future__ import annotations

import functools
import itertools
import math

import numpy as np

# -------------------------------------------------------------------------------------------- activation_and_slope


def activation_by_numpy(name, z):
    table = {
        "sigmoid": lambda: (np.exp(-np.logaddexp(0, -z)), np.exp(-np.logaddexp(0, -z) - np.logaddexp(0, z))),
        "tanh": lambda: (np.tanh(z), 1 - np.square(np.tanh(z))),
        "relu": lambda: (z * (z > 0), (z > 0).astype(z.dtype)),
        "leaky_relu": lambda: (np.maximum(z, 0.01 * z), np.where(z <= 0, 0.01, 1.0)),
        "softplus": lambda: (np.logaddexp(0, z), np.exp(-np.logaddexp(0, -z))),
    }
    if name not in table:
        raise ValueError("unknown activation")
    return table[name]()


def activation_number_by_number(name, z):
    def one(v):
        if name == "sigmoid":
            a = 1 / (1 + math.exp(-v)) if v > -700 else 0.0
            return a, a * (1 - a)
        if name == "tanh":
            return math.tanh(v), 1 - math.tanh(v) ** 2
        if name == "relu":
            return (v, 1.0) if v > 0 else (0.0, 0.0)
        if name == "leaky_relu":
            return (v, 1.0) if v > 0 else (0.01 * v, 0.01)
        if v > 30:
            return v + math.exp(-v), 1 - math.exp(-v)
        return math.log1p(math.exp(v)), math.exp(v) / (1 + math.exp(v))

    if name not in ("sigmoid", "tanh", "relu", "leaky_relu", "softplus"):
        raise ValueError(name)
    pairs = np.array([one(float(v)) for v in z.flat]).reshape(-1, 2)
    return pairs[:, 0].reshape(z.shape), pairs[:, 1].reshape(z.shape)


def activation_with_masks(name, z):
    if name in ("relu", "leaky_relu"):
        leak = 0.0 if name == "relu" else 0.01
        slope = np.full(z.shape, leak)
        slope[z > 0] = 1
        return [z * slope, slope]
    if name == "tanh":
        with np.errstate(over="ignore"):
            return np.tanh(z), 1 / np.cosh(np.clip(z, -350, 350)) ** 2
    with np.errstate(over="ignore"):  # 1 / infinity is right
        s = 1 / (1 + np.exp(-z))
    if name == "sigmoid":
        return s, s - s**2
    if name != "softplus":
        raise ValueError("no such activation")
    return np.where(z > 100, z, np.log1p(np.exp(np.minimum(z, 100)))), s


# ----------------------------------------------------------------------------------------------------- mlp_forward


def forward_reduced(x, weights, biases, activation):
    hidden = list(itertools.accumulate(
        zip(weights[:-1], biases[:-1], strict=True), lambda h, wb: activation(h @ wb[0] + wb[1]), initial=x
    ))
    return (*hidden[1:], hidden[-1] @ weights[-1] + biases[-1])


def forward_with_columns_of_ones(x, weights, biases, activation):
    outputs = []
    for w, b in zip(weights, biases, strict=True):
        read = outputs[-1] if outputs else x
        wide = np.concatenate([read, np.ones((len(x), 1))], axis=1)
        z = wide @ np.concatenate([w, b[None]])
        outputs.append(activation(z) if len(outputs) + 1 < len(weights) else z)
    return outputs


def forward_recursive(x, weights, biases, activation):
    z = np.einsum("nd,dm->nm", x, weights[0]) + biases[0]
    if len(weights) == 1:
        return [z]
    h = activation(z)
    return [h, *forward_recursive(h, weights[1:], biases[1:], activation)]


def forward_in_columns(x, weights, biases, activation):
    h, outputs = x.T, []
    for i, w in enumerate(weights):
        h = w.T @ h + biases[i][:, None]
        if i != len(weights) - 1:
            h = activation(h)
        outputs.append(h.T)
    return outputs


# ------------------------------------------------------------------------------------------------ count_parameters


def count_with_a_loop(sizes, bias=True):
    count = 0
    for i in range(1, len(sizes)):
        count += sizes[i] * (sizes[i - 1] + int(bias))
    return count


def count_by_numpy(sizes, bias=True):
    n = np.array(sizes, dtype=np.int64)
    return np.dot(n[:-1] + (1 if bias else 0), n[1:])


def count_recursively(sizes, bias=True):
    if len(sizes) < 2:
        return 0
    return (sizes[0] + bool(bias)) * sizes[1] + count_recursively(sizes[1:], bias)


# --------------------------------------------------------------------------------------- softmax_with_temperature


def temperature_row_by_row(z, temperature):
    if temperature < 0:
        raise ValueError("too cold")
    p = np.empty_like(z)
    for index in np.ndindex(z.shape[:-1]):
        row = [float(v) for v in z[index]]
        top = max(row)
        if temperature == 0:
            powers = [float(v == top) for v in row]
        else:
            powers = [math.exp(max((v - top) / temperature, -1e4)) for v in row]
        p[index] = [power / math.fsum(powers) for power in powers]
    return p


def temperature_by_divisions(z, temperature):
    if not temperature >= 0:
        raise ValueError("a temperature is at least 0")
    below = z - z.max(axis=-1, keepdims=True)
    with np.errstate(all="ignore"):
        scaled = np.where(below == 0, 0.0, np.divide(below, temperature))
    p = np.exp(scaled)
    return p / p.sum(-1)[..., None]


def temperature_by_log_sum_exp(z, temperature):
    if temperature < 0:
        raise ValueError
    rows = np.moveaxis(z, -1, 0)
    top = functools.reduce(np.maximum, rows)
    if temperature == 0:
        winners = rows == top
        return np.moveaxis(winners / winners.sum(axis=0), 0, -1)
    with np.errstate(over="ignore"):
        exponents = (rows - top) / temperature
    return np.moveaxis(np.exp(exponents - np.logaddexp.reduce(exponents, axis=0)), 0, -1)


# ------------------------------------------------------------------------------------------ interpolate_with_relus


def interpolate_by_solving(knots, values):
    # the network is linear in its output weights: ask for the values at the knots and at one place behind them
    places = np.append(knots, knots[-1] + 1)
    hidden = np.maximum(places[:, None] - knots, 0)
    system = np.hstack([hidden, np.ones((len(places), 1))])
    solution = np.linalg.solve(system, np.append(values, values[-1]))
    return np.ones((1, len(knots))), -knots, solution[:-1].reshape(-1, 1), solution[-1:]


def interpolate_from_the_right(knots, values):
    # units that look to the left: right of all knots only the bias is left
    slopes = [0.0, *(np.diff(values) / np.diff(knots)), 0.0]
    changes = [after - before for before, after in itertools.pairwise(slopes)]
    return -np.ones((1, len(knots))), knots.copy(), np.array(changes)[:, None], np.array([values[-1]])


def interpolate_with_scaled_units(knots, values):
    gaps = np.append(np.diff(knots), 1.0)  # unit k rises by 1 on its own piece
    w1 = 1 / gaps
    slopes = np.append(np.diff(values) / np.diff(knots), 0.0)
    w2 = (slopes - np.concatenate([np.zeros(1), slopes[:-1]])) * gaps
    return [w1[np.newaxis], -knots * w1, w2[:, np.newaxis], values[[0]]]


def interpolate_with_few_units(knots, values):
    if len(knots) == 1:
        return np.zeros((1, 0)), np.zeros(0), np.zeros((0, 1)), np.array([float(values[0])])
    w1, b1, w2, slope = [], [], [], 0.0
    for i in range(len(knots)):
        new = 0.0 if i == len(knots) - 1 else (values[i + 1] - values[i]) / (knots[i + 1] - knots[i])
        if new != slope:  # no unit where nothing bends
            w1.append(1.0)
            b1.append(-float(knots[i]))
            w2.append(float(new - slope))
            slope = new
    return np.array([w1]), np.array(b1), np.array(w2).reshape(-1, 1), np.array([float(values[0])])


# ------------------------------------------------------------------------------------------------ sawtooth_network


def sawtooth_of_two_slopes(depth, tip=0.5):
    # the tent as 1 minus its distance from the top on either side, measured by two units that look both ways
    if depth < 0:
        raise ValueError("negative")
    if depth == 0:
        return [np.eye(1)], [np.zeros(1)]
    both_ways, offset = np.array([[1 / (1 - tip), -1 / tip]]), np.array([-tip / (1 - tip), 1.0])
    read = np.array([[-1.0], [-1.0]])
    weights, biases = [both_ways], [offset]
    for _ in range(depth - 1):
        weights.append(read @ both_ways)
        biases.append(both_ways[0] + offset)
    return [*weights, read], [*biases, np.array([1.0])]


def sawtooth_by_concatenation(depth, tip=0.5):
    if depth < 0:
        raise ValueError(depth)
    if depth == 0:
        return (np.ones((1, 1)),), (np.zeros(1),)
    bend = -1 / (tip * (1 - tip))
    middle = np.array([[1 / tip, 1 / tip], [bend, bend]])
    weights = [np.ones((1, 2))] + [middle] * (depth - 1) + [middle[:, :1]]
    return tuple(weights), (np.array([0, -tip]),) * depth + (np.array([0.0]),)


def sawtooth_of_shares(depth, tip=0.5):
    # units that hold x / c and what is too much of it right of the tip, the output their difference
    if depth < 0:
        raise ValueError("a depth cannot be negative")
    weights, biases, read = [], [], np.ones(1)
    bend = 1 / tip + 1 / (1 - tip)
    for _ in range(depth):
        weights.append(np.stack([read / tip, bend * read], axis=1))
        biases.append(np.array([0.0, -bend * tip]))
        read = np.array([1.0, -1.0])
    weights.append(read[:, None])
    biases.append(np.zeros(1))
    return weights, biases


# ------------------------------------------------------------------------------------------------ fit_output_layer


def fit_centered(x, targets, w1, b1, weight_decay=0.0):
    h = np.tanh(x @ w1 + b1)
    mean, middle = h.mean(0), targets.mean(0)
    h, y = h - mean, targets - middle
    w2 = np.linalg.solve(h.T @ h + len(x) * weight_decay * np.eye(h.shape[1]), h.T @ y)
    return w2, middle - mean @ w2


def fit_with_extra_rows(x, targets, w1, b1, weight_decay=0.0):
    # the penalty as examples of its own: least squares of a longer list
    n, units = len(x), w1.shape[1]
    h = np.tanh(np.einsum("nd,dh->nh", x, w1) + b1)
    top = np.column_stack([h, np.ones(n)]) / math.sqrt(n)
    bottom = math.sqrt(weight_decay) * np.eye(units, units + 1)
    wanted = np.vstack([targets / math.sqrt(n), np.zeros((units, targets.shape[1]))])
    both = np.linalg.lstsq(np.vstack([top, bottom]), wanted, rcond=None)[0]
    return both[:units], both[units]


def fit_by_singular_values(x, targets, w1, b1, weight_decay=0.0):
    hidden = np.tanh(x @ w1 + b1)
    mean, middle = hidden.mean(axis=0), targets.mean(axis=0)
    u, s, vt = np.linalg.svd(hidden - mean, full_matrices=False)
    keep = s > 1e-12 * max(s.max(), 1.0)
    shrunk = s[keep] / (s[keep] ** 2 + len(x) * weight_decay)
    w2 = vt[keep].T @ (shrunk[:, None] * (u[:, keep].T @ (targets - middle)))
    return [w2, middle - mean @ w2]


def fit_output_by_output(x, targets, w1, b1, weight_decay=0.0):
    hidden = np.concatenate([np.tanh(x @ w1 + b1), np.ones((len(x), 1))], axis=1)
    a = hidden.T.dot(hidden) / len(x)
    a[np.arange(len(b1)), np.arange(len(b1))] += weight_decay
    columns = [np.linalg.solve(a, hidden.T.dot(targets[:, k]) / len(x)) for k in range(targets.shape[1])]
    both = np.stack(columns, axis=1)
    return both[:-1].copy(), both[-1].copy()


# -------------------------------------------------------------------------------------------------- train_boundary


def boundary_with_uniform_units(x, labels, hidden_units, seed):
    rng = np.random.default_rng(seed)
    low, high = x.min(axis=0), x.max(axis=0)
    w1 = rng.uniform(-4, 4, size=(2, hidden_units)) * 2 / (high - low)[:, None]
    b1 = rng.uniform(-4, 4, size=hidden_units) - (low + high) / 2 @ w1
    one_hot = (labels[:, None] == np.arange(labels.max() + 1)).astype(float)
    h = np.column_stack([np.tanh(x @ w1 + b1), np.ones(len(x))])
    both = np.linalg.solve(h.T @ h + 0.1 * np.eye(hidden_units + 1), h.T @ one_hot)
    return w1, b1, both[:-1], both[-1]


def boundary_with_lines_through_points(x, labels, hidden_units, seed):
    # the line of each unit passes through a training point, in a random direction
    rng = np.random.default_rng(seed)
    angle = rng.uniform(0, 2 * np.pi, hidden_units)
    w1 = 3 * np.stack([np.cos(angle), np.sin(angle)]) / x.std(axis=0)[:, None]
    b1 = -np.sum(x[rng.integers(len(x), size=hidden_units)] * w1.T, axis=1)
    h = np.tanh(x @ w1 + b1)
    y = np.eye(labels.max() + 1)[labels]
    n = len(x)
    rows = np.vstack([np.column_stack([h, np.ones(n)]), math.sqrt(1e-3 * n) * np.eye(hidden_units, hidden_units + 1)])
    both = np.linalg.lstsq(rows, np.vstack([y, np.zeros((hidden_units, y.shape[1]))]), rcond=None)[0]
    return [w1, b1, both[:-1], both[-1]]


def boundary_by_logistic_steps(x, labels, hidden_units, seed):
    # softmax regression on the hidden layer, by Newton-like steps with a bound on the curvature
    rng = np.random.default_rng(seed)
    w1 = rng.normal(size=(2, hidden_units)) * 2.5 / x.std(axis=0)[:, None]
    b1 = rng.normal(size=hidden_units) * 2.5 - x.mean(axis=0) @ w1
    h = np.column_stack([np.tanh(x @ w1 + b1), np.ones(len(x))])
    y = np.eye(labels.max() + 1)[labels]
    curvature = h.T @ h / (2 * len(x)) + 1e-4 * np.eye(hidden_units + 1)
    inverse, w = np.linalg.inv(curvature), np.zeros((hidden_units + 1, y.shape[1]))
    for _ in range(60):
        z = h @ w
        p = np.exp(z - z.max(axis=1, keepdims=True))
        p /= p.sum(axis=1, keepdims=True)
        w -= inverse @ (h.T @ (p - y) / len(x) + 1e-4 * w)
    return w1, b1, w[:-1], w[-1]


ALTERNATIVES = {
    "activation_and_slope": [activation_by_numpy, activation_number_by_number, activation_with_masks],
    "mlp_forward": [forward_reduced, forward_with_columns_of_ones, forward_recursive, forward_in_columns],
    "count_parameters": [count_with_a_loop, count_by_numpy, count_recursively],
    "softmax_with_temperature": [temperature_row_by_row, temperature_by_divisions, temperature_by_log_sum_exp],
    "interpolate_with_relus": [
        interpolate_by_solving, interpolate_from_the_right, interpolate_with_scaled_units, interpolate_with_few_units,
    ],
    "sawtooth_network": [sawtooth_of_two_slopes, sawtooth_by_concatenation, sawtooth_of_shares],
    "fit_output_layer": [fit_centered, fit_with_extra_rows, fit_by_singular_values, fit_output_by_output],
    "train_boundary": [
        boundary_with_uniform_units, boundary_with_lines_through_points, boundary_by_logistic_steps,
    ],
}
