"""Right answers to the assignment ``backprop`` in other styles than the model solution's: all must get full marks."""

from __future__ import annotations

import functools
import math
import operator

import numpy as np

# ---------------------------------------------------------------------------------------------- numerical_gradient


def gradient_in_place(f, x, h=1e-5):
    grad = np.empty_like(x)
    walk = np.nditer(x, flags=["multi_index"])
    while not walk.finished:
        i = walk.multi_index
        kept = float(x[i])
        x[i] = kept + h
        right = f(x)
        x[i] = kept - h
        left = f(x)
        x[i] = kept
        grad[i] = (right - left) / h / 2
        walk.iternext()
    return grad


def gradient_along_basis_vectors(f, x, h=1e-5):
    directions = np.eye(x.size).reshape(x.size, *x.shape)
    slopes = [(f(x + h * e) - f(x - h * e)) / (2 * h) for e in directions]
    return np.array(slopes).reshape(x.shape)


def gradient_of_a_flat_copy(f, x, h=1e-5):
    flat = [float(v) for v in x.ravel()]

    def at(i, value):
        moved = flat[:i] + [value] + flat[i + 1 :]
        return f(np.array(moved).reshape(x.shape))

    grad = np.zeros(x.shape)
    grad.flat[:] = [0.5 * (at(i, v + h) - at(i, v - h)) / h for i, v in enumerate(flat)]
    return grad


# -------------------------------------------------------------------------------------------------- graph_backward


def graph_with_tables(nodes):
    value_of = {
        "add": operator.add, "sub": operator.sub, "mul": operator.mul, "max": max, "neg": operator.neg, "exp": math.exp,
    }
    slopes_of = {
        "add": lambda a, b: (1, 1), "sub": lambda a, b: (1, -1), "mul": lambda a, b: (b, a),
        "max": lambda a, b: (1, 0) if a >= b else (0, 1), "neg": lambda a: (-1,), "exp": lambda a: (math.exp(a),),
    }
    values, gradients = {}, {}
    for name, op, arguments in nodes:
        values[name] = arguments if op == "input" else value_of[op](*[values[a] for a in arguments])
    for name, op, arguments in nodes[::-1]:
        gradients.setdefault(name, float(name == nodes[-1][0]))
        if op != "input":
            for a, slope in zip(arguments, slopes_of[op](*[values[a] for a in arguments]), strict=True):
                gradients[a] = gradients.get(a, 0.0) + gradients[name] * slope
    return values, gradients


def graph_of_objects(nodes):
    class Value:
        def __init__(self, data, parents=()):
            self.data, self.parents, self.grad, self.backward = data, parents, 0.0, lambda: None

    def node(op, *parents):
        a, b = parents[0], parents[-1]
        data = {
            "add": lambda: a.data + b.data, "sub": lambda: a.data - b.data, "mul": lambda: a.data * b.data,
            "max": lambda: max(a.data, b.data), "neg": lambda: -a.data, "exp": lambda: np.exp(a.data),
        }[op]()
        out = Value(data, parents)

        def backward():
            if op in ("add", "sub"):
                a.grad += out.grad
                b.grad += out.grad if op == "add" else -out.grad
            elif op == "mul":
                a.grad += b.data * out.grad
                b.grad += a.data * out.grad
            elif op == "max":
                (b if b.data > a.data else a).grad += out.grad
            else:
                a.grad += -out.grad if op == "neg" else out.data * out.grad

        out.backward = backward
        return out

    table = {}
    for name, op, arguments in nodes:
        table[name] = Value(arguments) if op == "input" else node(op, *(table[a] for a in arguments))
    order, seen = [], set()

    def visit(value):
        if id(value) not in seen:
            seen.add(id(value))
            for parent in value.parents:
                visit(parent)
            order.append(value)

    last = table[nodes[-1][0]]
    visit(last)
    last.grad = 1.0
    for value in reversed(order):
        value.backward()
    return {k: v.data for k, v in table.items()}, {k: v.grad for k, v in table.items()}


def graph_in_forward_mode(nodes):
    # the derivative of every node with respect to every other one: rows of one matrix, filled from the top
    place = {name: i for i, (name, _, _) in enumerate(nodes)}
    values, jacobian = np.zeros(len(nodes)), np.eye(len(nodes))
    for i, (_, op, arguments) in enumerate(nodes):
        if op == "input":
            values[i] = arguments
            continue
        j, k = place[arguments[0]], place[arguments[-1]]
        a, b = values[j], values[k]
        values[i], slope_a, slope_b = {
            "add": (a + b, 1, 1), "sub": (a - b, 1, -1), "mul": (a * b, b, a), "max": (max(a, b), a >= b, a < b),
            "neg": (-a, -1, 0), "exp": (np.exp(min(a, 700.0)), np.exp(min(a, 700.0)), 0),
        }[op]
        jacobian[i] += float(slope_a) * jacobian[j] + float(slope_b) * jacobian[k]
    return {n: values[i] for n, i in place.items()}, {n: jacobian[-1, i] for n, i in place.items()}


def graph_by_readers(nodes):
    # the gradient of a node is a sum over its readers, worked out on demand and remembered
    values, readers = {}, {name: [] for name, _, _ in nodes}
    for name, op, arguments in nodes:
        if op == "input":
            values[name] = float(arguments)
            continue
        a, b = values[arguments[0]], values[arguments[-1]]
        if op == "add":
            values[name], slopes = a + b, [1.0, 1.0]
        elif op == "sub":
            values[name], slopes = a - b, [1.0, -1.0]
        elif op == "mul":
            values[name], slopes = a * b, [b, a]
        elif op == "max":
            values[name], slopes = (a, [1.0, 0.0]) if a >= b else (b, [0.0, 1.0])
        elif op == "neg":
            values[name], slopes = -a, [-1.0]
        else:
            values[name] = math.exp(a)
            slopes = [values[name]]
        for argument, slope in zip(arguments, slopes, strict=True):
            readers[argument].append((name, slope))

    @functools.cache
    def gradient(name):
        own = 1.0 if name == nodes[-1][0] else 0.0
        return own + sum(slope * gradient(reader) for reader, slope in readers[name])

    return values, {name: gradient(name) for name, _, _ in nodes}


# ------------------------------------------------------------------------------------------------- affine and ReLU


def affine_einsum(x, w, b):
    return np.einsum("nd,dm->nm", x, w) + b[None, :]


def affine_loops(x, w, b):
    out = np.zeros((x.shape[0], w.shape[1]))
    for n in range(x.shape[0]):
        for m in range(w.shape[1]):
            out[n, m] = sum(x[n, d] * w[d, m] for d in range(x.shape[1])) + b[m]
    return out


def affine_with_a_column_of_ones(x, w, b):
    return np.hstack([x, np.ones((len(x), 1), x.dtype)]) @ np.vstack([w, b])


def affine_row_by_row(x, w, b):
    out = np.broadcast_to(b, (len(x), len(b))).copy()
    for row, example in zip(out, x, strict=True):
        row += np.dot(example, w)
    return out


def affine_backward_einsum(dout, x, w, b):
    return np.einsum("nm,dm->nd", dout, w), np.einsum("nd,nm->dm", x, dout), np.einsum("nm->m", dout)


def affine_backward_loops(dout, x, w, b):
    dx, dw, db = np.zeros(x.shape), np.zeros(w.shape), np.zeros(b.shape)
    for n in range(x.shape[0]):
        for m in range(w.shape[1]):
            db[m] += dout[n, m]
            for d in range(x.shape[1]):
                dx[n, d] += dout[n, m] * w[d, m]
                dw[d, m] += dout[n, m] * x[n, d]
    return dx, dw, db


def affine_backward_by_example(dout, x, w, b):
    dx = np.stack([w @ row for row in dout])
    dw = functools.reduce(operator.add, [np.outer(example, row) for example, row in zip(x, dout, strict=True)])
    return [dx, dw, np.ones(len(dout), dout.dtype) @ dout]


def relu_where(dout, x):
    return np.where(x > 0, dout, 0.0)


def relu_masked_copy(dout, x):
    dx = dout.copy()
    dx[x <= 0] = 0
    return dx


def relu_heaviside(dout, x):
    return np.heaviside(x, 0) * dout


def relu_loop(dout, x):
    dx = np.zeros_like(x)
    for index, value in np.ndenumerate(x):
        if value > 0:
            dx[index] = dout[index]
    return dx


# ------------------------------------------------------------------------------------------- softmax_cross_entropy


def cross_entropy_loops(logits, labels):
    rows, columns = logits.shape
    loss, gradient = 0.0, np.zeros(logits.shape)
    for n in range(rows):
        top = max(float(z) for z in logits[n])
        exponentials = [math.exp(float(z) - top) for z in logits[n]]
        total = math.fsum(exponentials)
        loss += (math.log(total) + top - float(logits[n, labels[n]])) / rows
        for k in range(columns):
            gradient[n, k] = (exponentials[k] / total - (k == labels[n])) / rows
    return loss, gradient


def cross_entropy_one_hot(logits, labels):
    target = np.eye(logits.shape[1])[labels]
    log_total = np.logaddexp.reduce(logits, axis=1, keepdims=True)
    log_p = logits - log_total
    return -np.sum(target * log_p) / len(target), (np.exp(log_p) - target) / len(target)


def cross_entropy_transposed(logits, labels):
    z = (logits - np.amax(logits, 1)[:, None]).T  # (K, N): one column per example
    e = np.exp(z)
    total = e.sum(0)
    right = np.take_along_axis(z, np.asarray(labels, dtype=int)[None], 0)[0]
    p = e / total
    for n, label in enumerate(labels):
        p[label, n] -= 1
    return np.asarray(np.mean(np.log(total) - right)), np.ascontiguousarray(p.T / p.shape[1])


# --------------------------------------------------------------------------------------------- two_layer_gradients


def two_layers_by_example(x, labels, w1, b1, w2, b2, weight_decay=0.0):
    loss = 0.0
    grads = {"w1": np.zeros(w1.shape), "b1": np.zeros(b1.shape), "w2": np.zeros(w2.shape), "b2": np.zeros(b2.shape)}
    for example, label in zip(x, labels, strict=True):
        a = b1 + example @ w1
        h = np.where(a > 0, a, 0)
        z = b2 + h @ w2
        e = np.exp(z - z.max())
        loss += np.log(e.sum()) + z.max() - z[label]
        delta = e / e.sum()
        delta[label] -= 1
        below = np.where(a > 0, w2 @ delta, 0)
        grads["w1"] += np.outer(example, below)
        grads["b1"] += below
        grads["w2"] += np.outer(h, delta)
        grads["b2"] += delta
    grads = {name: gradient / len(x) for name, gradient in grads.items()}
    for name, w in (("w1", w1), ("w2", w2)):
        loss += len(x) * weight_decay * np.vdot(w, w) / 2
        grads[name] = grads[name] + weight_decay * w
    return float(loss / len(x)), grads


def two_layers_of_closures(x, labels, w1, b1, w2, b2, weight_decay=0.0):
    def affine(x, w, b):
        def back(dout):
            return np.einsum("nm,dm->nd", dout, w), x.T.dot(dout) + weight_decay * w, np.sum(dout, axis=0)

        return x.dot(w) + b, back

    before, back1 = affine(x, w1, b1)
    logits, back2 = affine(np.maximum(before, 0), w2, b2)
    target = np.arange(logits.shape[1])[None, :] == labels[:, None]
    log_p = logits - np.logaddexp.reduce(logits, axis=1)[:, None]
    loss = -log_p[target].mean() + 0.5 * weight_decay * (np.linalg.norm(w1) ** 2 + np.linalg.norm(w2) ** 2)
    dhidden, dw2, db2 = back2((np.exp(log_p) - target) / len(labels))
    _, dw1, db1 = back1(np.where(before > 0, dhidden, 0))
    return loss, dict(b2=db2, w2=dw2, b1=db1, w1=dw1)


def two_layers_with_columns_of_ones(x, labels, w1, b1, w2, b2, weight_decay=0.0):
    n = labels.shape[0]
    ones = np.ones((n, 1))
    inputs = np.concatenate([x, ones], axis=1)
    before = inputs @ np.concatenate([w1, b1[None]])
    hidden = np.concatenate([before * (before > 0), ones], axis=1)
    z = hidden @ np.concatenate([w2, b2[None]])
    z = z - z.max(axis=1, keepdims=True)
    p = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
    loss = (np.log(np.exp(z).sum(axis=1)) - z[range(n), labels]).sum() / n
    loss += 0.5 * weight_decay * (np.square(w1).sum() + np.square(w2).sum())
    delta = (p - np.eye(p.shape[1])[labels]) / n
    below = (delta @ w2.T) * np.sign(np.maximum(before, 0))
    g1, g2 = inputs.T @ below, hidden.T @ delta
    return [loss, {"w1": g1[:-1] + weight_decay * w1, "b1": g1[-1], "w2": g2[:-1] + weight_decay * w2, "b2": g2[-1]}]


# ------------------------------------------------------------------------------------------------ train_classifier


def train_in_place_with_shuffled_indices(x, labels, hidden_units, epochs, learning_rate, batch_size, seed):
    rng = np.random.default_rng(seed)
    k = np.max(labels) + 1
    w1 = 0.1 * rng.standard_normal((x.shape[1], hidden_units))
    w2 = 0.1 * rng.standard_normal((hidden_units, k))
    b1, b2 = np.zeros(hidden_units), np.zeros(k)
    order = np.arange(len(x))
    for _ in range(epochs):
        rng.shuffle(order)
        for batch in np.split(order, range(batch_size, len(x), batch_size)):
            a = x[batch] @ w1 + b1
            h = a * (a > 0)
            z = h @ w2 + b2
            delta = np.exp(z - np.logaddexp.reduce(z, axis=1)[:, None])
            delta = (delta - np.eye(k)[labels[batch]]) / len(batch)
            below = (delta @ w2.T) * (a > 0)
            w2 -= learning_rate * h.T @ delta
            b2 -= learning_rate * delta.sum(0)
            w1 -= learning_rate * x[batch].T @ below
            b1 -= learning_rate * below.sum(0)
    return w1, b1, w2, b2


def train_with_uniform_weights(x, labels, hidden_units, epochs, learning_rate, batch_size, seed):
    rng = np.random.default_rng(seed)
    sizes = [x.shape[1], hidden_units, int(max(labels)) + 1]
    theta = []
    for i, o in zip(sizes[:-1], sizes[1:], strict=True):
        bound = math.sqrt(6 / (i + o))
        theta += [rng.uniform(-bound, bound, (i, o)), np.zeros(o)]
    for _ in range(epochs):
        order = rng.permutation(len(x))
        shuffled, right = x[order], labels[order]
        while len(shuffled):
            part, answers = shuffled[:batch_size], right[:batch_size]
            shuffled, right = shuffled[batch_size:], right[batch_size:]
            a = part @ theta[0] + theta[1]
            h = np.maximum(a, 0)
            z = h @ theta[2] + theta[3]
            p = np.exp(z - z.max(1, keepdims=True))
            p /= p.sum(1, keepdims=True)
            p[np.arange(len(part)), answers] -= 1
            p /= len(part)
            below = np.where(a > 0, p @ theta[2].T, 0)
            steps = [part.T @ below, below.sum(0), h.T @ p, p.sum(0)]
            theta = [old - learning_rate * step for old, step in zip(theta, steps, strict=True)]
    return theta


def train_with_momentum(x, labels, hidden_units, epochs, learning_rate, batch_size, seed):
    rng = np.random.default_rng(seed)
    one_hot = (labels[:, None] == np.arange(labels.max() + 1)).astype(float)
    shapes = {
        "w1": (x.shape[1], hidden_units), "b1": (hidden_units,), "w2": (hidden_units, one_hot.shape[1]),
        "b2": (one_hot.shape[1],),
    }
    theta = {k: rng.normal(scale=1 / np.sqrt(s[0]), size=s) if k[0] == "w" else np.zeros(s) for k, s in shapes.items()}
    velocity = {k: np.zeros(s) for k, s in shapes.items()}
    for _ in range(epochs):
        order = rng.permutation(len(x))
        for start in range(0, len(x), batch_size):
            i = order[start : start + batch_size]
            h = np.clip(x[i] @ theta["w1"] + theta["b1"], 0, None)
            z = h @ theta["w2"] + theta["b2"]
            z = np.exp(z - z.max(axis=1, keepdims=True))
            delta = (z / z.sum(axis=1, keepdims=True) - one_hot[i]) / len(i)
            below = (delta @ theta["w2"].T) * (h > 0)
            grads = {"w1": x[i].T @ below, "b1": below.sum(0), "w2": h.T @ delta, "b2": delta.sum(0)}
            for k in theta:
                velocity[k] = 0.5 * velocity[k] - 0.5 * learning_rate * grads[k]
                theta[k] = theta[k] + velocity[k]
    return theta["w1"], theta["b1"], theta["w2"], theta["b2"]


ALTERNATIVES = {
    "numerical_gradient": [gradient_in_place, gradient_along_basis_vectors, gradient_of_a_flat_copy],
    "graph_backward": [graph_with_tables, graph_of_objects, graph_in_forward_mode, graph_by_readers],
    "affine_forward": [affine_einsum, affine_loops, affine_with_a_column_of_ones, affine_row_by_row],
    "affine_backward": [affine_backward_einsum, affine_backward_loops, affine_backward_by_example],
    "relu_backward": [relu_where, relu_masked_copy, relu_heaviside, relu_loop],
    "softmax_cross_entropy": [cross_entropy_loops, cross_entropy_one_hot, cross_entropy_transposed],
    "two_layer_gradients": [two_layers_by_example, two_layers_of_closures, two_layers_with_columns_of_ones],
    "train_classifier": [
        train_in_place_with_shuffled_indices, train_with_uniform_weights, train_with_momentum,
    ],
}
