"""Live figures: each is one JavaScript module for the website, and a class of the same name for notebooks.

Importing this package imports no widget library; `from neuralnotes.figures import Perceptron` does.
"""

from __future__ import annotations

from importlib import import_module

# module -> class
FIGURES = {
    "linear_regression": "LinearRegression",
    "perceptron": "Perceptron",
    "activation": "Activation",
    "backprop_graph": "BackpropGraph",
    "optimizer_race": "OptimizerRace",
    "network_playground": "NetworkPlayground",
    "convolution_arithmetic": "ConvolutionArithmetic",
    "receptive_field": "ReceptiveField",
    "attention": "Attention",
    "feature_lift": "FeatureLift",
}


def __getattr__(name: str):
    for module, cls in FIGURES.items():
        if name == cls:
            return getattr(import_module(f".{module}", __name__), cls)
    raise AttributeError(f"neuralnotes.figures has no {name!r}; it has {', '.join(FIGURES.values())}")
