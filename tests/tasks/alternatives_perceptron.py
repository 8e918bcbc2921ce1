"""Right answers to the assignment ``perceptron`` in other styles than the model solution's: all get full marks."""

from __future__ import annotations

import itertools
import math

import numpy as np

# ---------------------------------------------------------------------------------------------- perceptron_predict


def predict_loops(x, w, b):
    labels = []
    for row in x:
        total = b
        for value, weight in zip(row, w, strict=True):
            total += value * weight
        labels.append(1 if total >= 0 else -1)
    return np.array(labels, dtype=int)


def predict_from_booleans(x, w, b):
    return 2 * (np.dot(x, w) >= -b).astype(np.int64) - 1


def predict_with_a_column_of_ones(x, w, b):
    z = np.column_stack([x, np.ones(len(x))]) @ np.append(w, b)
    labels = np.ones(len(x), dtype=np.int8)
    labels[z < 0] = -1
    return labels


# ------------------------------------------------------------------------------------------------ perceptron_epoch


def epoch_by_cases(x, y, w, b, rate=1.0):
    new, bias, mistakes = w.astype(float), float(b), 0
    for i in range(x.shape[0]):
        z = np.dot(new, x[i]) + bias
        if y[i] == 1 and z <= 0:
            new += rate * x[i]
            bias += rate
            mistakes += 1
        elif y[i] == -1 and z >= 0:
            new -= rate * x[i]
            bias -= rate
            mistakes += 1
    return new, bias, mistakes


def epoch_with_a_column_of_ones(x, y, w, b, rate=1.0):
    rows = np.hstack([x, np.ones((len(x), 1))]) * np.asarray(y).reshape(-1, 1)  # a mistake is a row below 0
    v, wrong = np.append(w, b), []
    for i, row in enumerate(rows):
        if row @ v <= 0:
            v = v + rate * row
            wrong.append(i)
    return [v[:-1], v[-1], len(wrong)]


def epoch_that_jumps_to_the_next_mistake(x, y, w, b, rate=1.0):
    start, mistakes = 0, 0
    while True:
        wrong = np.flatnonzero(y[start:] * (x[start:] @ w + b) <= 0)
        if len(wrong) == 0:
            return w, np.asarray(b, dtype=float), mistakes
        i = start + int(wrong[0])
        w, b = w + rate * y[i] * x[i], b + rate * y[i]
        start, mistakes = i + 1, mistakes + 1


# -------------------------------------------------------------------------------------------------------- novikoff


def novikoff_in_the_dual(x, y, w, b):
    length = math.sqrt(float(w @ w) + b * b)
    margin = min(label * (row @ w + b) for row, label in zip(x, y, strict=True)) / length if length > 0 else 0
    if margin <= 0:
        raise ValueError("no separator")
    radius = math.sqrt(max(row @ row for row in x) + 1)
    products = (x @ x.T + 1) * y[None, :]
    added = np.zeros(len(x), dtype=int)
    done = False
    while not done:
        done = True
        for i, label in enumerate(y):
            if label * (products[i] @ added) <= 0:
                added[i] += 1
                done = False
    return added.sum(), radius**2 / margin**2


def novikoff_with_a_queue(x, y, w, b):
    # the learning ends when as many rows in a row were right as there are
    norm = np.sqrt(np.sum(np.square(w)) + b**2)
    products = y * (x @ w + b)
    if not np.all(products > 0):
        raise ValueError(f"rows {np.flatnonzero(products <= 0)} are not on their side")
    bound = (np.square(x).sum(axis=1).max() + 1) * (norm / products.min()) ** 2
    v, c, mistakes, right, i = np.zeros(x.shape[1]), 0.0, 0, 0, 0
    while right < len(x):
        if y[i] * (v @ x[i] + c) <= 0:
            v, c = v + y[i] * x[i], c + y[i]
            mistakes, right = mistakes + 1, 0
        else:
            right += 1
        i = (i + 1) % len(x)
    return mistakes, bound


def novikoff_of_signed_rows(x, y, w, b):
    signed = np.asarray(y)[:, None] * np.concatenate([x, np.ones((x.shape[0], 1), dtype=x.dtype)], axis=1)
    u = np.concatenate([w, [b]])
    if min(signed @ u) <= 0:
        raise ValueError
    margins = signed @ (u / np.linalg.norm(u))
    radius = max(np.linalg.norm(row) for row in signed)
    v, total = 0 * u, 0
    for _ in itertools.count():
        in_this_pass = 0
        for row in signed:
            if v @ row <= 0:
                v = v + row
                in_this_pass += 1
        total += in_this_pass
        if in_this_pass == 0:
            return total, np.square(radius / min(margins))


# ------------------------------------------------------------------------------------------------------ delta_rule


def delta_loops(x, y, w, rate):
    prices = [float(price) for price in w]
    for i in range(len(y)):
        predicted = sum(p * q for p, q in zip(prices, x[i], strict=True))
        prices = [p + rate * (y[i] - predicted) * q for p, q in zip(prices, x[i], strict=True)]
    return np.array(prices)


def delta_in_a_copy(x, y, w, rate):
    new = np.array(w)
    for row, residual_of in zip(x, y, strict=True):
        new -= rate * (np.dot(row, new) - residual_of) * row
    return new


def delta_as_matrices(x, y, w, rate):
    for row, target in zip(x, y, strict=True):
        w = (np.eye(len(w)) - rate * np.outer(row, row)) @ w + rate * target * row
    return w


# ----------------------------------------------------------------------------------------------- logistic_gradient


def logistic_loops(x, y, w, b):
    loss, dw, db = 0.0, np.zeros(len(w)), 0.0
    for row, label in zip(x, y, strict=True):
        z = float(row @ w + b)
        small = math.exp(-abs(z))
        loss += (max(z, 0.0) - z * label + math.log1p(small)) / len(x)
        p = 1 / (1 + small) if z >= 0 else small / (1 + small)
        dw += (p - label) * row / len(x)
        db += (p - label) / len(x)
    return loss, dw, db


def logistic_by_signs(x, y, w, b):
    sign = np.where(y == 1, 1.0, -1.0)
    margins = sign * (x @ w + b)
    loss = np.logaddexp(0, -margins).mean()
    wrong = 0.5 * (1 - np.tanh(margins / 2))  # probability of the wrong class
    return loss, -(sign * wrong) @ x / len(x), -(sign * wrong).mean()


def logistic_as_a_softmax(x, y, w, b):
    z = np.stack([np.zeros(len(x)), x @ w + b], axis=1)
    log_p = z - np.logaddexp.reduce(z, axis=1)[:, None]
    loss = -log_p[np.arange(len(x)), np.asarray(y).astype(int)].sum() / len(x)
    error = np.exp(log_p[:, 1]) - y
    return [loss, np.einsum("nd,n->d", x, error) / len(x), np.asarray(error.mean())]


# ------------------------------------------------------------------------------------- softmax_regression_gradient


def softmax_loops(x, labels, w, b, weight_decay=0.0):
    n, k = len(x), w.shape[1]
    loss, dw, db = weight_decay * float((w * w).sum()) / 2, weight_decay * w.astype(float), np.zeros(k)
    for row, label in zip(x, labels, strict=True):
        z = [float(row @ w[:, j] + b[j]) for j in range(k)]
        top = max(z)
        total = math.fsum(math.exp(value - top) for value in z)
        loss += (math.log(total) + top - z[label]) / n
        for j in range(k):
            error = (math.exp(z[j] - top) / total - (j == label)) / n
            dw[:, j] += error * row
            db[j] += error
    return loss, dw, db


def softmax_one_hot(x, labels, w, b, weight_decay=0.0):
    target = np.eye(len(b))[labels]
    z = x.dot(w) + b
    log_p = z - np.logaddexp.reduce(z, axis=1, keepdims=True)
    error = np.exp(log_p) - target
    loss = -np.sum(np.where(target > 0, log_p, 0)) / len(x) + 0.5 * weight_decay * np.linalg.norm(w) ** 2
    return loss, np.einsum("nd,nk->dk", x, error) / len(x) + weight_decay * w, error.mean(axis=0)


def softmax_with_a_column_of_ones(x, labels, w, b, weight_decay=0.0):
    rows, theta = np.column_stack([x, np.ones(len(x))]), np.vstack([w, b])
    z = (rows @ theta).T  # (K, N): a column for each row
    z = z - z.max(axis=0)
    e = np.exp(z)
    p = e / e.sum(axis=0)
    loss = np.mean(np.log(e.sum(axis=0)) - z[labels, range(len(x))]) + np.sum(w * w) * weight_decay / 2
    p[labels, range(len(x))] -= 1
    gradient = (p @ rows).T / len(x)
    return [loss, gradient[:-1] + weight_decay * w, gradient[-1]]


# ----------------------------------------------------------------------------------------------------- xor_by_hand


def xor_of_or_and_nand(n=2):
    # unit 1: at least one, unit 2: at most one, ...: the even units turned around, so that the output counts them
    level = np.arange(1, n + 1)
    sign = np.where(level % 2 == 1, 1, -1)
    b1 = np.where(sign > 0, -level, level - 1)
    return np.tile(sign, (n, 1)), b1, np.ones(n), -1 - n // 2


def xor_with_thresholds_on_the_corners(n=2):
    w1 = [[1] * n for _ in range(n)]
    w2 = [(-1) ** k for k in range(n)]
    return np.array(w1), np.array([-k - 1 for k in range(n)]), np.array(w2), -1


def xor_scaled_and_backwards(n=2):
    count = np.arange(n, 0, -1)
    return [np.full((n, n), 20.0), 20.0 * (0.3 - count), np.where(count % 2, 7.0, -7.0), np.array(-3.5)]


# ---------------------------------------------------------------------------------------------------- train_digits



def train_class_by_class(x, labels, method, epochs, rate, seed):
    # the classes do not meet: each perceptron learns alone, with the same orders
    classes = np.max(labels) + 1
    if method == "softmax":
        theta = np.zeros((x.shape[1] + 1, classes))
        rows, target = np.column_stack([x, np.ones(len(x))]), np.eye(classes)[labels]
        for _ in range(epochs):
            z = rows @ theta
            theta -= rate / len(x) * rows.T @ (np.exp(z - np.logaddexp.reduce(z, axis=1, keepdims=True)) - target)
        return theta[:-1].copy(), theta[-1].copy()
    orders = [np.random.default_rng([seed, e]).permutation(len(x)) for e in range(epochs)]
    columns, biases = [], []
    for k in range(classes):
        v, total, y = np.zeros(x.shape[1] + 1), np.zeros(x.shape[1] + 1), np.where(labels == k, 1, -1)
        for order in orders:
            for i in order:
                if y[i] * (x[i] @ v[:-1] + v[-1]) <= 0:
                    v[:-1] += rate * y[i] * x[i]
                    v[-1] += rate * y[i]
            total += v / epochs
        columns.append(total[:-1])
        biases.append(total[-1])
    return np.stack(columns, axis=1), np.array(biases)


def train_all_columns_at_once(x, labels, method, epochs, rate, seed):
    k = int(max(labels)) + 1
    y = np.where(labels[:, None] == np.arange(k), 1.0, -1.0)  # (N, K)
    w, b = np.zeros((x.shape[1], k)), np.zeros(k)
    rng, w_mean, b_mean = np.random.default_rng(seed), 0.0, 0.0
    for _ in range(epochs):
        if method == "perceptron":
            for i in rng.permutation(len(x)):
                step = rate * np.where(y[i] * (x[i] @ w + b) <= 0, y[i], 0.0)
                w += np.outer(x[i], step)
                b += step
        else:
            z = x @ w + b
            e = np.exp(z - z.max(axis=1)[:, None])
            error = (e / e.sum(axis=1)[:, None] - (y > 0)) / len(x)
            w, b = w - rate * x.T @ error, b - rate * error.sum(axis=0)
        w_mean, b_mean = w_mean + w / epochs, b_mean + b / epochs
    return (w_mean, b_mean) if method == "perceptron" else (w, b)


def train_with_the_mean_of_every_step(x, labels, method, epochs, rate, seed):
    # the averaged perceptron proper: the mean over all rows of all passes
    rng = np.random.default_rng(seed)
    k = int(labels.max()) + 1
    w, b = np.zeros((x.shape[1], k)), np.zeros(k)
    w_sum, b_sum, left = np.zeros_like(w), np.zeros_like(b), epochs * len(x)
    for _ in range(epochs):
        if method == "softmax":
            z = x @ w + b
            p = np.exp(z - z.max(axis=1, keepdims=True))
            p /= p.sum(axis=1, keepdims=True)
            p[np.arange(len(x)), labels] -= 1
            w -= rate * x.T @ p / len(x)
            b -= rate * p.mean(axis=0)
            continue
        for i in rng.permutation(len(x)):
            y = np.where(np.arange(k) == labels[i], 1.0, -1.0)
            wrong = y * (x[i] @ w + b) <= 0
            step = rate * y * wrong
            w += np.outer(x[i], step)
            b += step
            w_sum += left * np.outer(x[i], step)  # a correction counts in all means that follow
            b_sum += left * step
            left -= 1
    return (w, b) if method == "softmax" else [w_sum / (epochs * len(x)), b_sum / (epochs * len(x))]


ALTERNATIVES = {
    "perceptron_predict": [predict_loops, predict_from_booleans, predict_with_a_column_of_ones],
    "perceptron_epoch": [epoch_by_cases, epoch_with_a_column_of_ones, epoch_that_jumps_to_the_next_mistake],
    "novikoff": [novikoff_in_the_dual, novikoff_with_a_queue, novikoff_of_signed_rows],
    "delta_rule": [delta_loops, delta_in_a_copy, delta_as_matrices],
    "logistic_gradient": [logistic_loops, logistic_by_signs, logistic_as_a_softmax],
    "softmax_regression_gradient": [softmax_loops, softmax_one_hot, softmax_with_a_column_of_ones],
    "xor_by_hand": [xor_of_or_and_nand, xor_with_thresholds_on_the_corners, xor_scaled_and_backwards],
    "train_digits": [train_class_by_class, train_all_columns_at_once, train_with_the_mean_of_every_step],
}
