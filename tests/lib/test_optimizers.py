from __future__ import annotations

import pytest
import torch

from neuralnotes import optimizers

STEPS = 50
# ours, its arguments, torch's, its arguments
PAIRS = {
    "SGD": (optimizers.SGD, dict(learning_rate=0.03), torch.optim.SGD, dict(lr=0.03)),
    "Momentum": (
        optimizers.Momentum,
        dict(learning_rate=0.03, momentum=0.8),
        torch.optim.SGD,
        dict(lr=0.03, momentum=0.8),
    ),
    "Nesterov": (
        optimizers.Nesterov,
        dict(learning_rate=0.03, momentum=0.8),
        torch.optim.SGD,
        dict(lr=0.03, momentum=0.8, nesterov=True),
    ),
    "AdaGrad": (
        optimizers.AdaGrad,
        dict(learning_rate=0.1, epsilon=1e-3),
        torch.optim.Adagrad,
        dict(lr=0.1, eps=1e-3),
    ),
    "RMSprop": (
        optimizers.RMSprop,
        dict(learning_rate=0.02, decay=0.8, epsilon=1e-3),
        torch.optim.RMSprop,
        dict(lr=0.02, alpha=0.8, eps=1e-3),
    ),
    "Adam": (
        optimizers.Adam,
        dict(learning_rate=0.05, beta1=0.8, beta2=0.95, epsilon=1e-3),
        torch.optim.Adam,
        dict(lr=0.05, betas=(0.8, 0.95), eps=1e-3),
    ),
    "AdamW": (
        optimizers.AdamW,
        dict(learning_rate=0.05, beta1=0.8, beta2=0.95, epsilon=1e-3, weight_decay=0.3),
        torch.optim.AdamW,
        dict(lr=0.05, betas=(0.8, 0.95), eps=1e-3, weight_decay=0.3),
    ),
    # The defaults that both share.
    "Momentum, defaults": (optimizers.Momentum, dict(learning_rate=0.01), torch.optim.SGD, dict(lr=0.01, momentum=0.9)),
    "AdaGrad, defaults": (optimizers.AdaGrad, {}, torch.optim.Adagrad, {}),
    "RMSprop, defaults": (optimizers.RMSprop, {}, torch.optim.RMSprop, dict(lr=0.001, alpha=0.9)),
    "Adam, defaults": (optimizers.Adam, {}, torch.optim.Adam, {}),
    "AdamW, defaults": (optimizers.AdamW, {}, torch.optim.AdamW, {}),
}
pairs = pytest.mark.parametrize("name", PAIRS)


def gradients_at(parameters, step):
    """Gradients of a bent valley, plus noise that is the same for equal steps."""
    noise = torch.Generator().manual_seed(step)
    result = []
    for p in parameters:
        curvature = torch.linspace(0.5, 5, p.numel(), dtype=p.dtype, device=p.device).reshape(p.shape)
        kick = torch.randn(p.shape, generator=noise, dtype=torch.float64).to(p)
        result.append(curvature * p + torch.sin(2 * p) + 0.3 * kick)
    return result


def start(normal, device="cpu", dtype=torch.float64):
    return [t.to(device, dtype) for t in (normal(3, 4), normal(5), normal())]


@pairs
def test_equals_torch_step_by_step(name, normal, device):
    ours, arguments, theirs, their_arguments = PAIRS[name]
    mine = start(normal, device)
    reference = [torch.nn.Parameter(p.clone()) for p in mine]
    optimizer, oracle = ours(mine, **arguments), theirs(reference, **their_arguments)
    for step in range(STEPS):
        gradients = gradients_at(mine, step)
        for p, g in zip(reference, gradients_at([r.detach() for r in reference], step), strict=True):
            p.grad = g
        optimizer.step(gradients)
        oracle.step()
        for p, r in zip(mine, reference, strict=True):
            # 1e-10 leaves room for another order of the same multiplications, and for nothing else.
            torch.testing.assert_close(p, r.detach(), rtol=1e-10, atol=1e-12, msg=lambda m, s=step: f"step {s}: {m}")
    assert optimizer.steps == STEPS


@pairs
def test_conduct(name, normal, device):
    ours, arguments, _, _ = PAIRS[name]

    def run(parameters):
        optimizer = ours(parameters, **arguments)
        for step in range(5):
            gradients = gradients_at(parameters, step)
            kept = [g.clone() for g in gradients]
            optimizer.step(gradients)
            assert all(torch.equal(g, k) for g, k in zip(gradients, kept, strict=True)), "a gradient was written to"
        return parameters

    initial = start(normal)
    expected = run([p.clone() for p in initial])
    for moved in run([p.clone().to(device) for p in initial]), run([strided(p.to(device)) for p in initial]):
        for p, e in zip(moved, expected, strict=True):
            assert p.device.type == device.type
            torch.testing.assert_close(p.cpu(), e, rtol=1e-9, atol=1e-12)
    for p, e in zip(run([p.to(device, torch.float32) for p in initial]), expected, strict=True):
        assert p.dtype == torch.float32
        torch.testing.assert_close(p.cpu().double(), e, rtol=1e-4, atol=1e-5)


def strided(p):
    """The same values as a view with gaps: a step has to write through it."""
    view = p.new_zeros(*p.shape, 2)[..., 0]
    return view.copy_(p)


@pairs
def test_reads_grad_where_autograd_leaves_it(name, normal):
    ours, arguments, _, _ = PAIRS[name]
    given, leaves = start(normal), []
    leaves = [p.clone().requires_grad_() for p in given]
    by_hand, by_autograd = ours(given, **arguments), ours(leaves, **arguments)
    for _ in range(3):
        by_autograd.zero_grad()
        sum((p**3).sum() for p in leaves).backward()
        by_autograd.step()
        by_hand.step([3 * p**2 for p in given])
    for p, leaf in zip(given, leaves, strict=True):
        assert leaf.requires_grad
        torch.testing.assert_close(leaf.detach(), p, rtol=1e-12, atol=1e-14)


def test_zero_grad_forgets(normal):
    leaf = normal(3).requires_grad_()
    optimizer = optimizers.SGD([leaf], 0.1)
    leaf.sum().backward()
    optimizer.zero_grad()
    assert leaf.grad is None


def trajectory(optimizer_class, theta, steps=30, **arguments):
    theta = theta.clone()
    optimizer = optimizer_class([theta], **arguments)
    path = []
    for step in range(steps):
        optimizer.step(gradients_at([theta], step))
        path.append(theta.clone())
    return torch.stack(path)


def test_the_other_forms_of_momentum_take_the_same_path(normal):
    theta, rate, mu = normal(4), 0.02, 0.9
    path = trajectory(optimizers.Momentum, theta, learning_rate=rate, momentum=mu)

    other, v = theta.clone(), torch.zeros_like(theta)
    mean_form, mean = theta.clone(), torch.zeros_like(theta)
    for step in range(len(path)):
        v = mu * v - rate * gradients_at([other], step)[0]
        other = other + v
        mean = mu * mean + (1 - mu) * gradients_at([mean_form], step)[0]
        mean_form = mean_form - rate / (1 - mu) * mean
        torch.testing.assert_close(path[step], other, rtol=1e-10, atol=1e-12)
        torch.testing.assert_close(path[step], mean_form, rtol=1e-10, atol=1e-12)


def test_the_look_ahead_form_of_nesterov_takes_the_same_path(normal):
    theta, rate, mu = normal(4), 0.02, 0.9
    path = trajectory(optimizers.Nesterov, theta, learning_rate=rate, momentum=mu)
    position, v = theta.clone(), torch.zeros_like(theta)
    for step in range(len(path)):
        v = mu * v - rate * gradients_at([position + mu * v], step)[0]
        position = position + v
        # Our parameter is the point at which the next gradient is taken.
        torch.testing.assert_close(path[step], position + mu * v, rtol=1e-10, atol=1e-12)


def test_terminal_velocity():
    theta = torch.zeros(1, dtype=torch.float64)
    optimizer = optimizers.Momentum([theta], 0.01, momentum=0.9)
    for _ in range(500):
        before = theta.clone()
        optimizer.step([torch.tensor([2.0], dtype=torch.float64)])
    assert (before - theta).item() == pytest.approx(0.01 * 2.0 / (1 - 0.9), rel=1e-9)


def test_adam_first_step_is_the_learning_rate():
    for scale in (1e-3, 1.0, 1e6):
        theta = torch.zeros(2, dtype=torch.float64)
        optimizers.Adam([theta], 0.1).step([scale * torch.tensor([1.0, -2.0], dtype=torch.float64)])
        torch.testing.assert_close(theta, torch.tensor([-0.1, 0.1], dtype=torch.float64), rtol=1e-4, atol=0)


def test_adagrad_does_not_depend_on_the_scale():
    ends = []
    for curvature in (0.01, 1.0, 100.0):
        theta = torch.ones(1, dtype=torch.float64)
        optimizer = optimizers.AdaGrad([theta], 0.1)
        for _ in range(50):
            optimizer.step([curvature * theta])
        ends.append(theta.item())
    assert ends == pytest.approx([0.1371] * 3, abs=5e-5)


def test_adamw_decay_does_not_depend_on_the_gradient():
    theta = torch.tensor([2.0, 2.0], dtype=torch.float64)
    plain = theta.clone()
    gradient = torch.tensor([1e-3, 1e3], dtype=torch.float64)
    optimizers.AdamW([theta], 0.1, weight_decay=0.5).step([gradient])
    optimizers.Adam([plain], 0.1).step([gradient])
    # 0.1 * 0.5 of a weight of 2, for a tiny and for a huge gradient alike.
    torch.testing.assert_close(plain - theta, torch.full((2,), 0.1, dtype=torch.float64), rtol=1e-9, atol=0)


@pairs
def test_the_learning_rate_may_change_between_steps(name, normal):
    ours, arguments, theirs, their_arguments = PAIRS[name]
    theta = normal(4)
    reference = torch.nn.Parameter(theta.clone())
    optimizer, oracle = ours([theta], **arguments), theirs([reference], **their_arguments)
    for step in range(10):
        optimizer.learning_rate = oracle.param_groups[0]["lr"] = 0.1 / (step + 1)
        reference.grad = gradients_at([reference.detach()], step)[0]
        optimizer.step(gradients_at([theta], step))
        oracle.step()
    torch.testing.assert_close(theta, reference.detach(), rtol=1e-10, atol=1e-12)


def test_bad_gradients_change_nothing(normal):
    first, second = normal(3), normal(2)
    kept = first.clone()
    optimizer = optimizers.Momentum([first, second], 0.1)
    good = normal(3)
    for gradients, message in [
        ([good], "1 gradients for 2 parameters"),
        ([good, normal(1)], "gradient 1 has the shape"),  # would broadcast
        ([good, None], "parameter 1 has no gradient"),
        (None, "parameter 0 has no gradient"),
    ]:
        with pytest.raises(ValueError, match=message):
            optimizer.step(gradients)
    assert torch.equal(first, kept)
    assert optimizer.steps == 0
    assert (optimizer.velocity[0] == 0).all()


@pytest.mark.parametrize(
    ("optimizer", "arguments", "message"),
    [
        (optimizers.SGD, dict(learning_rate=0.0), "learning_rate"),
        (optimizers.SGD, dict(learning_rate=float("nan")), "learning_rate"),
        (optimizers.Momentum, dict(learning_rate=0.1, momentum=1.0), "momentum"),
        (optimizers.Nesterov, dict(learning_rate=0.1, momentum=-0.1), "momentum"),
        (optimizers.AdaGrad, dict(epsilon=0.0), "epsilon"),
        (optimizers.RMSprop, dict(decay=1.0), "decay"),
        (optimizers.RMSprop, dict(epsilon=0.0), "epsilon"),
        (optimizers.Adam, dict(beta1=1.0), "beta1"),
        (optimizers.Adam, dict(beta2=-0.5), "beta2"),
        (optimizers.Adam, dict(epsilon=-1.0), "epsilon"),
        (optimizers.AdamW, dict(weight_decay=-0.1), "weight_decay"),
    ],
)
def test_bad_numbers(optimizer, arguments, message):
    with pytest.raises(ValueError, match=message):
        optimizer([torch.zeros(2)], **arguments)


def test_bad_parameters():
    with pytest.raises(ValueError, match="no parameters"):
        optimizers.SGD([], 0.1)
    with pytest.raises(TypeError, match="list of tensors"):
        optimizers.SGD(torch.zeros(3), 0.1)
    with pytest.raises(TypeError, match="parameter 1 .*int64"):
        optimizers.SGD([torch.zeros(3), torch.zeros(3, dtype=torch.long)], 0.1)
    with pytest.raises(TypeError, match="parameter 0 .* float"):
        optimizers.SGD([1.0], 0.1)
