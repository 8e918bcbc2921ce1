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

EQUIVALENT: dict[str, dict[str, str]] = {
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
