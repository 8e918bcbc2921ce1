"""Every public function and class says which chapter derives it."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re

import pytest

import neuralnotes

CHAPTERS = {
    "Learning from data",
    "The perceptron",
    "Linear models",
    "Multi-layer networks",
    "Backpropagation and automatic differentiation",
    "Loss functions",
    "Metric learning",
    "Gradient descent",
    "Optimizers",
    "Second-order methods",
    "Activations, initialization and normalization",
    "Generalization and regularization",
    "Convolutional networks",
    "Convolutional architectures",
    "Vision beyond classification",
    "Transfer and domains",
    "Sequences and recurrent networks",
    "Attention and transformers",
    "Language models",
    "Representation and generative models",
    "Interpretability and fairness",
    "History and tools",
}
# Modules that support the course rather than belong to one chapter of it.
SUPPORT = {"checking", "check", "data", "plots", "training"}
# Not flat modules of functions.
LEFT_OUT = {"tasks", "figures"}


def public_objects() -> list:
    found = []
    for module_info in pkgutil.walk_packages(neuralnotes.__path__, "neuralnotes."):
        path = module_info.name.removeprefix("neuralnotes.")  # "layers", "models.lenet"
        if path.partition(".")[0] in LEFT_OUT:
            continue
        module = importlib.import_module(module_info.name)
        for name, value in vars(module).items():
            own = getattr(value, "__module__", None) == module.__name__
            if own and not name.startswith("_") and (inspect.isfunction(value) or inspect.isclass(value)):
                found.append(pytest.param(path, value, id=f"{path}.{name}"))
    return found


@pytest.mark.parametrize(("module", "value"), public_objects())
def test_docstring(module, value):
    # Not inspect.getdoc: a class without a docstring would inherit its parent's.
    lines = [line.strip() for line in (value.__doc__ or "").splitlines()]
    assert any(lines), "there is no docstring"
    takes_parameters = inspect.isfunction(value) and inspect.signature(value).parameters
    if takes_parameters:
        assert "Args:" in lines
        assert "Returns:" in lines or "Yields:" in lines or inspect.signature(value).return_annotation in (None, "None")
    if module not in SUPPORT:
        chapters = [line.removeprefix("Chapter:").strip(" .") for line in lines if line.startswith("Chapter:")]
        assert len(chapters) == 1, "one line must start with 'Chapter:'"
        title = re.sub(r" \([a-z0-9-]+\)$", "", chapters[0])  # "Optimizers (adam)": the label of the passage follows
        assert title in CHAPTERS


def test_the_walk_finds_the_method_modules():
    modules = {parameter.values[0] for parameter in public_objects()}
    assert {"activations", "attention", "convolution", "layers", "losses", "models.lenet", "optimizers"} <= modules
