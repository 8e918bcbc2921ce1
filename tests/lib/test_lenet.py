from __future__ import annotations

import pytest
import torch

from neuralnotes import convolution
from neuralnotes.models.lenet import LeNet5


def count(module):
    return sum(p.numel() for p in module.parameters())


def test_parameters():
    model = LeNet5()
    layers = {name: count(layer) for name, layer in model.named_children()}
    assert layers == {"conv1": 156, "conv2": 2416, "pool": 0, "dense1": 48120, "dense2": 10164, "dense3": 850}
    # (F * F * D + 1) K for a convolution, (D + 1) K for a dense layer.
    assert count(model) == 26 * 6 + 151 * 16 + 401 * 120 + 121 * 84 + 85 * 10 == 61706
    assert count(LeNet5(classes=7)) == 61706 - 3 * 85


@pytest.mark.parametrize("activation", ["tanh", "relu"])
@pytest.mark.parametrize("pooling", ["average", "max"])
def test_it_computes_what_the_functions_of_the_library_compute(activation, pooling, normal, device):
    torch.manual_seed(1)
    model = LeNet5(activation=activation, pooling=pooling).double().to(device)
    act = {"tanh": torch.tanh, "relu": lambda x: x * (x > 0)}[activation]
    pool = {"average": convolution.average_pool2d_forward, "max": convolution.max_pool2d_forward}[pooling]
    images = normal(3, 1, 28, 28).to(device)

    p = dict(model.named_parameters())
    x = act(convolution.conv2d_forward(images, p["conv1.weight"], p["conv1.bias"], padding=2))
    assert x.shape == (3, 6, 28, 28)
    x = pool(x, 2, 2)
    assert x.shape == (3, 6, 14, 14)
    x = act(convolution.conv2d_forward(x, p["conv2.weight"], p["conv2.bias"]))
    assert x.shape == (3, 16, 10, 10)
    x = pool(x, 2, 2)
    assert x.shape == (3, 16, 5, 5)
    x = x.reshape(3, 400)
    for name in ("dense1", "dense2"):
        x = act(x @ p[f"{name}.weight"].T + p[f"{name}.bias"])
    x = x @ p["dense3.weight"].T + p["dense3.bias"]
    torch.testing.assert_close(model(images), x, rtol=1e-10, atol=1e-12)


def test_the_default_is_that_of_1998(normal):
    models = []
    for options in ({}, {"activation": "tanh", "pooling": "average"}, {"activation": "relu", "pooling": "max"}):
        torch.manual_seed(0)
        models.append(LeNet5(**options).double())
    images = normal(2, 1, 28, 28)
    assert torch.equal(models[0](images), models[1](images))
    assert not torch.allclose(models[0](images), models[2](images))


def test_errors(normal):
    for options in ({"activation": "sigmoid"}, {"pooling": "none"}):
        with pytest.raises(ValueError, match="activation must be one of tanh, relu, pooling one of average, max"):
            LeNet5(**options)
    with pytest.raises(ValueError, match="at least 1"):
        LeNet5(classes=0)
    model = LeNet5().double()
    for shape in [(28, 28), (2, 28, 28), (2, 3, 28, 28), (2, 1, 32, 32)]:
        with pytest.raises(ValueError, match=r"\(N, 1, 28, 28\)"):
            model(normal(*shape))
