"""Mutants of the solutions that compute the same thing: task id -> {change as ``tests.mutation`` prints it: why}."""

from __future__ import annotations

_ANY_SCALE = "the scale of the weights at the start is the student's choice: what is graded is what the network reads"
_NEGATIVE_PADDING = "np.pad itself raises ValueError for a negative padding"
_CONVOLUTION_GUARD = "if min(kernel_height, kernel_width, stride) < 1 or padding < 0:  |  0 -> -1"
_ROOM_GUARD = "if min(rooms) < 0 or any(room % stride for room in rooms):  |  0 -> -1"
_SHIFT = "powers = np.exp(scores - np.where(np.isfinite(top), top, 0.0))"
_ANY_SHIFT = "exp(-inf - c) is 0 for every finite c"
_NOTHING = "a row with nothing to attend to has only zeros to divide"
_RESHAPE = "the reshape raises ValueError by itself when the heads do not divide the columns"
_SAME_READING = "not the same function, but it reads the dates alike, and what is read is what is graded"
_SAME_LENGTH = "strict only checks that both lists have the same length, and they do"
_PLUS_MINUS_ONE = "the labels are +1 and -1: to divide by them is to multiply"
_RANDOM_SCALE = "how large to draw the hidden weights is the student's choice: graded is what the network classifies"
_BOUNDARY_W1 = "w1 = rng.normal(scale=2.0, size=(2, hidden_units)) / spread[:, None]"
_BOUNDARY_B1 = "b1 = rng.normal(scale=2.0, size=hidden_units) - middle @ w1"

EQUIVALENT: dict[str, dict[str, str]] = {
    "perceptron_epoch": {
        "for row, label in zip(x, y, strict=True):  |  True -> False": _SAME_LENGTH,
        "w = w + rate * label * row  |  rate * label -> rate / label": _PLUS_MINUS_ONE,
        "b = b + rate * label  |  rate * label -> rate / label": _PLUS_MINUS_ONE,
    },
    "novikoff": {"for row, label in zip(rows, y, strict=True):  |  True -> False": _SAME_LENGTH},
    "delta_rule": {"for row, target in zip(x, y, strict=True):  |  True -> False": _SAME_LENGTH},
    "train_digits": {
        # once for the 1, once for the -1
        "signs = np.where(labels[order] == k, 1, -1)  |  1 -> 2":
            "one side's corrections are twice as long: a perceptron still, and what it reads is what is graded",
    },
    "activation_and_slope": {
        "sigmoid = np.where(z > 0, 1, small) / (1 + small)  |  z > 0 -> z >= 0": "at z = 0 the small number is 1, too",
        "return np.where(z > 0, z, 0.01 * z), np.where(z > 0, 1.0, 0.01)  |  z > 0 -> z >= 0":
            "the value at the kink is 0 from both sides (the same change to the slope costs points)",
    },
    "mlp_forward": {"for w, b in zip(weights, biases, strict=True):  |  True -> False": _SAME_LENGTH},
    "count_parameters": {
        "weights = sum(inputs * outputs for inputs, outputs in zip(sizes[:-1], sizes[1:], strict=True))"
        "  |  True -> False": _SAME_LENGTH,
    },
    "softmax_with_temperature": {
        "powers = np.where(below == 0, 1.0, 0.0)  |  1.0 -> 2.0": "the division by the sum takes any common factor out",
    },
    "train_boundary": {
        f"{_BOUNDARY_W1}  |  2.0 -> 3.0": _RANDOM_SCALE,
        f"{_BOUNDARY_W1}  |  2.0 -> 1.0": _RANDOM_SCALE,
        f"{_BOUNDARY_B1}  |  2.0 -> 3.0": _RANDOM_SCALE,
        f"{_BOUNDARY_B1}  |  2.0 -> 1.0": _RANDOM_SCALE,
    },
    "train_classifier": {
        '"w1": rng.normal(size=(inputs, hidden_units)) * np.sqrt(2 / inputs),  |  2 -> 3': _ANY_SCALE,
        '"w1": rng.normal(size=(inputs, hidden_units)) * np.sqrt(2 / inputs),  |  2 -> 1': _ANY_SCALE,
        '"w2": rng.normal(size=(hidden_units, classes)) * np.sqrt(2 / hidden_units),  |  2 -> 3': _ANY_SCALE,
        '"w2": rng.normal(size=(hidden_units, classes)) * np.sqrt(2 / hidden_units),  |  2 -> 1': _ANY_SCALE,
    },
    "conv2d_forward": {_CONVOLUTION_GUARD: _NEGATIVE_PADDING},
    "im2col": {_CONVOLUTION_GUARD: _NEGATIVE_PADDING},
    "conv2d_backward": {
        _CONVOLUTION_GUARD: _NEGATIVE_PADDING,
        _ROOM_GUARD: "a kernel one larger than the padded image cannot be added into the smaller patch: ValueError",
    },
    "conv2d_fast": {
        _CONVOLUTION_GUARD: _NEGATIVE_PADDING,
        _ROOM_GUARD: "sliding_window_view raises ValueError for a window larger than the image",
    },
    "scaled_dot_product_attention": {
        _SHIFT + "  # all 0 in a row with nothing to attend to  |  0.0 -> 1.0": _ANY_SHIFT,
        _SHIFT + "  # all 0 in a row with nothing to attend to  |  0.0 -> -1.0": _ANY_SHIFT,
        "weights = powers / np.where(total == 0, 1.0, total)  |  1.0 -> 2.0": _NOTHING,
    },
    "attention_backward": {
        _SHIFT + "  |  0.0 -> 1.0": _ANY_SHIFT,
        _SHIFT + "  |  0.0 -> -1.0": _ANY_SHIFT,
        "weights = powers / np.where(total == 0, 1.0, total)  # (..., N, M)  |  1.0 -> 2.0": _NOTHING,
    },
    "multi_head_attention": {
        "dropped: if d % num_heads != 0:": _RESHAPE,
        "dropped: raise ValueError(f'{num_heads} heads do not divide {d} columns')": _RESHAPE,
        "if d % num_heads != 0:  |  if d % num_heads != 0: -> if False:": _RESHAPE,
        _SHIFT + "  |  0.0 -> 1.0": _ANY_SHIFT,
        _SHIFT + "  |  0.0 -> -1.0": _ANY_SHIFT,
        "out = powers / np.where(total == 0, 1.0, total) @ v  # (B, H, N, D/H)  |  1.0 -> 2.0": _NOTHING,
    },
    "read_dates": {
        'hidden = np.maximum(0.0, (found + queries) @ p["w_hidden"])  # (N, 10, E)  |  0.0 -> 1.0': _SAME_READING,
        'hidden = np.maximum(0.0, (found + queries) @ p["w_hidden"])  # (N, 10, E)  |  0.0 -> -1.0': _SAME_READING,
    },
}
