"""Mutants of the solutions that compute the same thing: task id -> {change as ``tests.mutation`` prints it: why}."""

from __future__ import annotations

_ANY_SCALE = "the scale of the weights at the start is the student's choice: what is graded is what the network reads"
_NEGATIVE_PADDING = "np.pad itself raises ValueError for a negative padding"
_CONVOLUTION_GUARD = "if min(kernel_height, kernel_width, stride) < 1 or padding < 0:  |  0 -> -1"
_ROOM_GUARD = "if min(rooms) < 0 or any(room % stride for room in rooms):  |  0 -> -1"

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
}
