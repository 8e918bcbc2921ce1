from __future__ import annotations

import pytest
import torch
from torch import nn

from neuralnotes import activations
from neuralnotes.models import mlp


def as_torch(parameters, activation):
    """The same network out of PyTorch's own layers."""
    layers = []
    for w, b in parameters:
        layer = nn.Linear(*w.shape, dtype=w.dtype)
        with torch.no_grad():
            layer.weight.copy_(w.T)
            layer.bias.copy_(b)
        layers += [layer, activation]
    return nn.Sequential(*layers[:-1])


@pytest.mark.parametrize("sizes", [[3, 4, 2], [3, 4, 4, 1], [5, 7, 7, 7, 7, 4], [4, 5, 7, 3], [2, 1], [1, 1, 1]])
def test_count(sizes):
    network = as_torch(mlp.mlp_parameters(sizes), nn.Tanh())
    expected = sum(p.numel() for p in network.parameters())
    assert mlp.parameter_count(sizes) == expected
    assert sum(p.numel() for p in mlp.MLP(sizes).parameters()) == expected


def test_counts_of_the_notes():
    counts = [mlp.parameter_count(s) for s in ([3, 4, 2], [3, 4, 4, 1], [5, 7, 7, 7, 7, 4], [4, 5, 7, 3])]
    assert counts == [26, 41, 242, 91]


@pytest.mark.parametrize("sizes", [[3, 4, 2], [3, 5, 4, 1], [3, 2]])
@pytest.mark.parametrize(("name", "layer"), [("tanh", nn.Tanh()), ("relu", nn.ReLU()), ("sigmoid", nn.Sigmoid())])
def test_forward(sizes, name, layer, normal, device):
    parameters = [(normal(d, m).to(device), normal(m).to(device)) for d, m in zip(sizes, sizes[1:], strict=False)]
    x = normal(6, 3).to(device)
    network = as_torch(parameters, layer).to(device)
    outputs = mlp.mlp_forward(x, parameters, getattr(activations, name))
    assert [o.shape for o in outputs] == [(6, m) for m in sizes[1:]]
    for number, output in enumerate(outputs, start=1):  # after the activation, but for the last
        expected = network[: 2 * number](x)
        torch.testing.assert_close(output, expected.detach())


def test_conduct(normal, device, check_conduct):
    flat = [normal(3, 4), normal(4), normal(4, 2), normal(2)]
    check_conduct(
        lambda x, *p: mlp.mlp_forward(x, [p[:2], p[2:]]), [normal(5, 3), *flat], device
    )


@pytest.mark.parametrize("activation", ["identity", "sigmoid", "tanh", "relu", "leaky_relu", "elu", "gelu", "softplus"])
def test_module(activation, normal, device):
    model = mlp.MLP([3, 6, 5, 2], activation, seed=4).double().to(device)
    x = normal(7, 3).to(device)
    parameters = list(zip(model.weights, model.biases, strict=True))
    torch.testing.assert_close(model(x), mlp.mlp_forward(x, parameters, getattr(activations, activation))[-1])
    assert [h.shape[1] for h in model.layers(x)] == [6, 5, 2]
    model(x).sum().backward()
    assert all(p.grad is not None for p in model.parameters())


def test_start(device):
    (w, b), (v, c) = mlp.mlp_parameters([400, 300, 2], seed=1, dtype=torch.float64, device=device)
    assert w.device.type == device.type and w.dtype == torch.float64
    assert w.mean().abs() < 0.001 and w.std().item() == pytest.approx(400**-0.5, rel=0.02)
    assert v.std().item() == pytest.approx(300**-0.5, rel=0.1) and not b.any() and not c.any()
    again, other = mlp.mlp_parameters([400, 300, 2], seed=1, dtype=torch.float64), mlp.mlp_parameters([400, 300, 2])
    assert torch.equal(again[0][0], w.cpu()) and not torch.equal(other[0][0].double(), w.cpu())
    model = mlp.MLP([400, 300, 2], "relu", seed=1)
    torch.testing.assert_close(model.weights[0].std().item(), (2 / 400) ** 0.5, rtol=0.02, atol=0)
    torch.manual_seed(3)
    one, two = mlp.MLP([2, 3]), mlp.MLP([2, 3])
    torch.manual_seed(3)
    assert torch.equal(mlp.MLP([2, 3]).weights[0], one.weights[0]) and not torch.equal(two.weights[0], one.weights[0])


def test_errors(normal):
    for sizes in ([3], [], [3, 0], [3, 2.0], [3, True]):
        for make in (mlp.parameter_count, mlp.mlp_parameters, mlp.MLP):
            with pytest.raises(ValueError, match="positive whole numbers"):
                make(sizes)
    with pytest.raises(ValueError, match="activation must be one of"):
        mlp.MLP([2, 3], "softmax")
    with pytest.raises(ValueError, match="at least one layer"):
        mlp.mlp_forward(normal(2, 2), [])
    with pytest.raises(ValueError, match=r"w \(3, 4\)"):
        mlp.mlp_forward(normal(2, 2), [(normal(3, 4), normal(4))])
