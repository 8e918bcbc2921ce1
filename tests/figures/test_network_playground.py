"""The live figure of the network playground: its engine against torch, its data, and a reader at work."""

import itertools

import numpy as np
import pytest
import torch
from torch import nn

from neuralnotes.figures import NetworkPlayground
from neuralnotes.figures.network_playground import ACTIVATIONS, DATA, OPTIMIZERS
from neuralnotes.optimizers import AdamW, Momentum

from .conftest import assert_readable, drag, swipe

NAME = "network_playground"
MODULES = {"tanh": nn.Tanh, "relu": nn.ReLU, "sigmoid": nn.Sigmoid, "identity": nn.Identity}


def build(sizes: list[int], activation: str, theta: np.ndarray) -> nn.Sequential:
    """A torch network whose parameters are theta: layer by layer the weights, then the biases."""
    parts = []
    for inputs, outputs in itertools.pairwise(sizes):
        parts += [nn.Linear(inputs, outputs, dtype=torch.float64), MODULES[activation]()]
    network = nn.Sequential(*parts[:-1])
    nn.utils.vector_to_parameters(torch.tensor(theta), network.parameters())
    return network


def vector(tensors) -> np.ndarray:
    return torch.cat([t.detach().reshape(-1) for t in tensors]).numpy()


def test_values_and_gradients_are_those_of_torch(show) -> None:
    page = show(NAME)
    rng = np.random.default_rng(0)
    script = """([sizes, activation, theta, x, y, masks]) => {
        const net = module.makeNetwork(sizes, activation, 1, theta), n = y.length;
        return { p: Array.from(module.probabilities(net, x, n)), ...module.measure(net, x, y, n),
          grad: Array.from(module.gradient(net, x, y, n)),
          dropped: Array.from(module.gradient(net, x, y, n, masks)) };
    }"""
    for sizes, activation in itertools.product(([2, 3], [2, 8, 8, 3], [2, 1, 2], [2, 16, 5, 7, 4, 2]), MODULES):
        count = sum(b * (a + 1) for a, b in itertools.pairwise(sizes))
        theta, n = rng.normal(size=count), 17
        x, y = rng.normal(size=(n, 2)) * 2, rng.integers(0, sizes[-1], n)
        masks = [rng.choice([0, 1 / 0.7], p=[0.3, 0.7], size=(n, size)) for size in sizes[1:-1]]
        case = [sizes, activation, theta.tolist(), x.ravel().tolist(), y.tolist(), [m.ravel().tolist() for m in masks]]
        got = page.evaluate(script, case)
        network, inputs, labels = build(sizes, activation, theta), torch.tensor(x), torch.tensor(y)
        logits = network(inputs)
        loss = nn.functional.cross_entropy(logits, labels)
        np.testing.assert_allclose(got["p"], logits.softmax(1).detach().numpy().ravel(), rtol=1e-9, atol=1e-12)
        assert got["loss"] == pytest.approx(loss.item(), rel=1e-10)
        assert got["right"] == pytest.approx((logits.argmax(1) == labels).double().mean().item())
        gradients = torch.autograd.grad(loss, list(network.parameters()))
        np.testing.assert_allclose(got["grad"], vector(gradients), rtol=1e-8, atol=1e-12)

        h = inputs
        for i, part in enumerate(network):
            h = part(h)
            if i % 2:
                h = h * torch.tensor(masks[i // 2])
        gradients = torch.autograd.grad(nn.functional.cross_entropy(h, labels), list(network.parameters()))
        np.testing.assert_allclose(got["dropped"], vector(gradients), rtol=1e-8, atol=1e-12)


def test_fifty_steps_are_those_of_torch(show) -> None:
    page = show(NAME)
    rng = np.random.default_rng(1)
    sizes = [2, 8, 6, 3]
    theta = 0.5 * rng.normal(size=sum(b * (a + 1) for a, b in itertools.pairwise(sizes)))
    batches = [(rng.normal(size=(10, 2)), rng.integers(0, 3, 10)) for _ in range(50)]
    script = """([sizes, theta, batches, settings]) => {
        const net = module.makeNetwork(sizes, "tanh", 1, theta), memory = {};
        for (const [x, y] of batches) module.optimize(net, module.gradient(net, x, y, y.length), memory, settings);
        return Array.from(net.theta);
    }"""
    given = [[x.ravel().tolist(), y.tolist()] for x, y in batches]
    for optimizer, rate, decay in (("adamw", 0.01, 0.5), ("sgd", 0.05, 0.03)):
        settings = {"optimizer": optimizer, "rate": rate, "decay": decay}
        got = page.evaluate(script, [sizes, theta.tolist(), given, settings])
        network = build(sizes, "tanh", theta)
        # Biases do not decay. In SGD, half the squared weights times the decay is part of the loss.
        weights = [p for p in network.parameters() if p.ndim == 2]
        biases = [p for p in network.parameters() if p.ndim == 1]
        if optimizer == "adamw":
            steps = [AdamW(weights, rate, weight_decay=decay), AdamW(biases, rate, weight_decay=0.0)]
        else:
            steps = [Momentum([*weights, *biases], rate, 0.9)]
        for x, y in batches:
            loss = nn.functional.cross_entropy(network(torch.tensor(x)), torch.tensor(y))
            if optimizer == "sgd":
                loss = loss + decay / 2 * sum((w**2).sum() for w in weights)
            network.zero_grad()
            loss.backward()
            for step in steps:
                step.step()
        end = vector(network.parameters())
        assert np.abs(end - theta).max() > 0.1
        np.testing.assert_allclose(got, end, rtol=1e-5, atol=1e-7)


def test_data_dropout_and_learning(show) -> None:
    page = show(NAME)
    for name in DATA:
        got = page.evaluate("""(name) => [[300, 0.1, 1], [300, 0.1, 1], [300, 0.1, 2], [21, 0, 1]].map((given) => {
            const { x, y, n, classes } = module.makeData(name, ...given);
            return { x: Array.from(x), y: Array.from(y), n, classes }; })""", name)
        assert got[0] == got[1] and got[0]["x"] != got[2]["x"]
        for drawn in got:
            counts = np.bincount(drawn["y"], minlength=drawn["classes"])
            assert len(counts) == drawn["classes"] and counts.max() - counts.min() <= 1
            assert len(drawn["x"]) == 2 * drawn["n"] and np.abs(drawn["x"]).max() < 3.2
    # The share that dropout leaves, and five seeds that all learn the three arms (epoch 100 of 240 points).
    script = """() => [1, 2, 3, 4, 5].map((seed) => {
        const train = module.makeData("spirals", 240, 0.1, 1), test = module.makeData("spirals", 150, 0.1, 2);
        const net = module.makeNetwork([2, 8, 8, 3], "tanh", seed), memory = {};
        const settings = { ...module.defaults, seed };
        for (let epoch = 0; epoch < 100; epoch++) module.trainEpoch(net, train, memory, settings, epoch);
        return [module.measure(net, train.x, train.y, 240).right, module.measure(net, test.x, test.y, 150).right];
    })"""
    right = np.array(page.evaluate(script))
    assert right.shape == (5, 2) and (right[:, 0] > 0.98).all() and (right[:, 1] > 0.95).all()
    script = """(dropout) => {
        const data = module.makeData("moons", 40, 0.1, 1), net = module.makeNetwork([2, 8, 2], "tanh", 1);
        for (let e = 0; e < 3; e++) module.trainEpoch(net, data, {}, { ...module.defaults, dropout }, e);
        return Array.from(net.theta); }"""
    assert page.evaluate(script, 0.5) == page.evaluate(script, 0.5) != page.evaluate(script, 0)


def test_a_reader_trains_it(show) -> None:
    page = show(NAME, {"epochs": 0})
    text = page.locator(".nn-lines").inner_text
    assert "press Play" in text() and "123 parameters" in text()
    map_ = page.locator(".nn-plot image")
    before = map_.get_attribute("href")
    page.get_by_role("button", name="One epoch").click()
    assert page.evaluate("shown.state().epoch") == 1 and map_.get_attribute("href") != before
    page.get_by_role("button", name="Play").click()
    page.wait_for_function("shown.state().epoch >= 15", timeout=20_000)
    page.get_by_role("button", name="Pause").click()
    epoch = page.evaluate("shown.state().epoch")

    # The probe: mouse, then keyboard.
    probe = page.get_by_role("slider", name="A place in the plane")
    drag(page, probe, 60, -60)
    place = page.evaluate("shown.state().probe")
    assert place[0] > 0.5 and place[1] > 0.5 and f"({place[0]:.2f}, {place[1]:.2f})" in text()
    probe.press("Shift+ArrowLeft")
    assert page.evaluate("shown.state().probe[0]") == pytest.approx(place[0] - 1)
    page.wait_for_function("document.querySelector('.nn-said').textContent.startsWith('At (')")

    # A unit is looked at; the theme is switched.
    before = map_.get_attribute("href")
    unit = page.get_by_role("button", name="Unit 3 of hidden layer 2")
    unit.focus()
    looked = map_.get_attribute("href")
    assert looked != before and "Unit 3 of hidden layer 2" in page.locator(".nn-plot").first.text_content()
    unit.evaluate("(node) => node.blur()")
    assert map_.get_attribute("href") == before
    page.locator("html").evaluate("(root) => (root.dataset.theme = 'dark')")
    page.wait_for_function("(old) => document.querySelector('.nn-plot image').getAttribute('href') !== old", arg=before)

    # The state comes back, with the curves.
    state = page.evaluate("shown.state()")
    assert state["epoch"] == epoch and len(str(state)) < 2500
    picture = map_.get_attribute("href")
    lines = page.locator(".nn-line").evaluate_all("(all) => all.map((line) => line.getAttribute('d').length)")
    page.evaluate("shown.reset()")
    assert page.evaluate("shown.state().epoch") == 0
    page.evaluate("(state) => shown.set(state)", state)
    assert page.evaluate("shown.state()") == state and map_.get_attribute("href") == picture
    assert page.locator(".nn-line").evaluate_all("(all) => all.map((line) => line.getAttribute('d').length)") == lines
    for bad in ({"data": "rings"}, {"layers": 3}, {"epoch": 3, "weights": "AAAA"}, {"rate": "fast"}):
        script = "(bad) => { try { shown.set({ ...shown.state(), ...bad }); } catch (error) { return error.message; } }"
        assert page.evaluate(script, bad), bad
    figure = NetworkPlayground()
    figure.state = state
    assert [(w.shape, b.shape) for w, b in figure.weights] == [((8, 2), (8,)), ((8, 8), (8,)), ((3, 8), (3,))]
    (w1, b1), (w2, b2), (w3, b3) = figure.weights
    logits = w3 @ np.tanh(w2 @ np.tanh(w1 @ state["probe"] + b1) + b2) + b3
    answer = np.exp(logits) / np.exp(logits).sum()
    for name, share in zip(("disk", "triangle", "square"), answer, strict=True):
        assert f"{name} {100 * share:.0f}" in text()

    # Settings: another network starts afresh, another rate does not.
    page.get_by_text("More settings").click()
    page.get_by_label("Learning rate").press("ArrowRight")
    assert page.evaluate("shown.state().rate") == 0.03 and page.evaluate("shown.state().epoch") == epoch
    page.get_by_label("Hidden layers").press("Home")
    assert page.evaluate("shown.state().epoch") == 0 and "No hidden layer" in page.locator(".nn-fig").inner_text()
    assert page.locator(".nn-unit").count() == 0
    page.get_by_label("Data", exact=True).select_option(label="two moons")
    assert "triangle" in text() and "square" not in text()
    page.get_by_label("Hidden layers").press("End")
    page.get_by_label("Units in each").press("End")
    assert page.locator(".nn-unit").count() == 16
    page.get_by_label("Learning rate").press("End")
    for _ in range(3):
        page.get_by_role("button", name="One epoch").click()
    assert "NaN" not in page.locator(".nn-fig").inner_html()
    seed = page.evaluate("shown.state().seed")
    page.get_by_role("button", name="New weights").click()
    assert page.evaluate("[shown.state().seed, shown.state().epoch]") == [seed + 1, 0]


def test_on_a_phone(show) -> None:
    page = show(NAME, {"width": 16, "more": True}, width=390, touch=True, still=True)
    assert page.evaluate("shown.state().epoch") == 150
    assert_readable(page)
    box = page.locator(".nn-unit").first.bounding_box()
    assert box["width"] >= 24 and box["height"] >= 24
    probe = page.get_by_role("slider", name="A place in the plane")
    swipe(page, probe, 80, 0)
    page.wait_for_function("shown.state().probe[0] > 0.5", timeout=3000)


def test_props(show) -> None:
    page = show(NAME, {"epochs": 2, "data": "blobs"})
    assert page.evaluate("shown.state().epoch") == 2
    for name, options in (("Activation", ACTIVATIONS), ("Data", DATA), ("Optimizer", OPTIMIZERS)):
        assert page.get_by_label(name, exact=True).locator("option").count() == len(options)
    bad = [
        {"data": "rings"}, {"noise": 1}, {"noise": "0"}, {"points": 5}, {"layers": 5}, {"width": 0}, {"width": 2.0},
        {"activation": "gelu"}, {"optimizer": "adam"}, {"rate": -1}, {"rate": float("inf")}, {"batch": 0},
        {"dropout": 0.9}, {"decay": -0.1}, {"seed": -1}, {"epochs": 1001}, {"epochs": True}, {"more": 1},
    ]
    for props in bad:
        with pytest.raises(ValueError):
            NetworkPlayground(**props)
    assert NetworkPlayground(data="moons", dropout=0.5).props == {"data": "moons", "dropout": 0.5}
    assert NetworkPlayground().weights == []
