from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from neuralnotes import layers

LABELS = torch.tensor([0, 2, 1, 2, 0])


def parameters(normal, d=4, h=6, k=3):
    return [normal(d, h), normal(h), normal(h, k), normal(k)]


@pytest.mark.parametrize(("n", "d", "m"), [(3, 4, 2), (1, 4, 2), (3, 1, 5), (1, 1, 1)])
def test_affine(n, d, m, normal, check_gradients):
    x, w, b, dout = normal(n, d), normal(d, m), normal(m), normal(n, m)
    torch.testing.assert_close(layers.affine_forward(x, w, b), F.linear(x, w.T, b), rtol=1e-12, atol=1e-14)
    check_gradients(
        lambda x, w, b: (layers.affine_forward(x, w, b) * dout).sum(),
        [x, w, b],
        layers.affine_backward(dout, x, w, b),
        oracle=lambda x, w, b: (F.linear(x, w.T, b) * dout).sum(),
    )


@pytest.mark.parametrize("weight_decay", [0.0, 0.3])
def test_two_layer_network(weight_decay, normal, check_gradients):
    x, theta = normal(5, 4), parameters(normal)

    def oracle(w1, b1, w2, b2):
        logits = F.linear(F.relu(F.linear(x, w1.T, b1)), w2.T, b2)
        return F.cross_entropy(logits, LABELS) + weight_decay / 2 * (w1.square().sum() + w2.square().sum())

    loss, gradients = layers.two_layer_gradients(x, LABELS, *theta, weight_decay=weight_decay)
    assert list(gradients) == ["w1", "b1", "w2", "b2"]
    torch.testing.assert_close(loss, oracle(*theta), rtol=1e-12, atol=0)
    check_gradients(
        lambda *theta: layers.two_layer_gradients(x, LABELS, *theta, weight_decay=weight_decay)[0],
        theta,
        list(gradients.values()),
        oracle=oracle,
    )


def test_weights_do_not_decay_by_default(normal):
    x, theta = normal(5, 4), parameters(normal)
    default, without = layers.two_layer_gradients(x, LABELS, *theta), layers.two_layer_gradients(x, LABELS, *theta, 0.0)
    assert torch.equal(default[0], without[0])
    assert all(torch.equal(default[1][name], without[1][name]) for name in without[1])


def test_two_layer_forward(normal):
    x, (w1, b1, w2, b2) = normal(5, 4), parameters(normal)
    expected = F.linear(F.relu(F.linear(x, w1.T, b1)), w2.T, b2)
    torch.testing.assert_close(layers.two_layer_forward(x, w1, b1, w2, b2), expected, rtol=1e-12, atol=1e-14)


def test_a_unit_exactly_at_zero_gets_no_gradient(normal):
    x, (w1, b1, w2, b2) = normal(5, 4), parameters(normal)
    w1[:, 2], b1[2] = 0.0, 0.0  # the third unit's pre-activation is 0 for every example
    _, gradients = layers.two_layer_gradients(x, LABELS, w1, b1, w2, b2)
    assert gradients["w1"][:, 2].tolist() == [0.0] * 4
    assert gradients["b1"][2].item() == 0.0


def test_conduct(normal, check_conduct, device):
    x, w, b, dout = normal(3, 4), normal(4, 2), normal(2), normal(3, 2)
    check_conduct(layers.affine_forward, [x, w, b], device)
    check_conduct(layers.affine_backward, [dout, x, w, b], device)
    x, theta = normal(5, 4), parameters(normal)
    check_conduct(layers.two_layer_forward, [x, *theta], device)
    check_conduct(layers.two_layer_gradients, [x, LABELS, *theta, 0.3], device, reads_values=True)


def test_bad_shapes(normal):
    x, w, b = normal(3, 4), normal(4, 2), normal(2)
    for arguments in [(x.T, w, b), (x, w, b[:1]), (x[0], w, b), (x, w, b[None])]:
        with pytest.raises(ValueError, match=r"x \(N, D\), w \(D, M\)"):
            layers.affine_forward(*arguments)
        with pytest.raises(ValueError, match=r"x \(N, D\), w \(D, M\)"):
            layers.affine_backward(normal(3, 2), *arguments)
    with pytest.raises(ValueError, match="dout"):
        layers.affine_backward(normal(3, 1), x, w, b)  # would broadcast


def test_the_gradient_check_sees_one_wrong_element(normal, check_gradients):
    x, w, b, dout = normal(3, 4), normal(4, 2), normal(2), normal(3, 2)
    gradients = layers.affine_backward(dout, x, w, b)
    gradients[1][2, 1] += 1e-5
    with pytest.raises(AssertionError, match="input 1"):
        check_gradients(lambda x, w, b: (layers.affine_forward(x, w, b) * dout).sum(), [x, w, b], gradients)
