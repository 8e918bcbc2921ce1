"""Neural Notes: the library that the book derives, the assignments use and the grader compares with.

Importing this package imports nothing heavy: ``from neuralnotes import check, data, plots`` loads what is named.
"""

from __future__ import annotations

from importlib import import_module

__version__ = "0.1.0"

_MODULES = (
    "activations",
    "attention",
    "autodiff",
    "checking",
    "convolution",
    "data",
    "date_reader",
    "figures",
    "graph_convolution",
    "layers",
    "linear_models",
    "losses",
    "models",
    "optimizers",
    "perceptron",
    "plots",
    "tasks",
    "training",
    "transformations",
)


def __getattr__(name: str):
    if name == "check":
        return import_module(".checking", __name__).check
    if name in _MODULES:
        return import_module(f".{name}", __name__)
    raise AttributeError(f"neuralnotes has no {name!r}; it has check, {', '.join(_MODULES)}")
