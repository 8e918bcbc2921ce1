"""The live figure of receptive fields: its numbers against the library and autograd, and a reader at work."""

import math

import numpy as np
import pytest
import torch

from neuralnotes.convolution import receptive_field
from neuralnotes.figures import ReceptiveField
from neuralnotes.figures.receptive_field import PRESETS

from .conftest import assert_readable, drag, swipe

NAME = "receptive_field"
POOLED = [["conv", 3, 1], ["pool", 2, 2], ["conv", 3, 1]]


def gradient(layers, pixels: int, cell: int) -> np.ndarray:
    """What one cell of the last layer takes from each pixel, when every kernel is ones."""
    x = torch.zeros(1, 1, pixels, dtype=torch.float64, requires_grad=True)
    y = x
    for _, kernel, stride in layers:
        y = torch.nn.functional.conv1d(y, torch.ones(1, 1, kernel, dtype=torch.float64), stride=stride)
    y[0, 0, cell].backward()
    return x.grad[0, 0].numpy()


def some_stacks() -> list[list[list]]:
    rng = np.random.default_rng(0)
    depths = (1, 2, 3, 3, 4, 4)
    return [POOLED, *[[["conv", int(rng.integers(1, 8)), int(rng.integers(1, 4))] for _ in range(n)] for n in depths]]


def test_fields_cones_and_paths_are_those_of_autograd(show) -> None:
    page = show(NAME)
    stacks = some_stacks() + list(page.evaluate("module.PRESETS").values())
    assert len(stacks) == 7 + len(PRESETS)
    for layers in stacks:
        fields = page.evaluate("(layers) => module.fields(layers)", layers)
        jump = math.prod(stride for *_, stride in layers)
        pairs = [(kernel, stride) for _, kernel, stride in layers]
        assert [row["field"] for row in fields] == [receptive_field(pairs[:n]) for n in range(len(pairs) + 1)]
        assert fields[-1]["jump"] == jump

        # The third of four cells of the last layer: which pixels it sees, and by how many paths.
        pixels = page.evaluate("(layers) => module.widths(layers, 4)", layers)[0]
        taken = gradient(layers, pixels, 2)
        first, last = page.evaluate("(layers) => module.cone(layers, layers.length, 2)[0]", layers)
        support = np.flatnonzero(taken)
        assert (support[0], support[-1]) == (first, last)
        counts = page.evaluate("(layers) => module.pathCounts(layers)[0]", layers)
        np.testing.assert_allclose(counts, taken[first : last + 1], rtol=1e-12)
        assert (first + last) / 2 == fields[-1]["start"] + 2 * jump
        assert len(counts) == fields[-1]["field"]

    # In two dimensions the counts of the two axes multiply.
    x = torch.zeros(1, 1, 8, 8, dtype=torch.float64, requires_grad=True)
    y = x
    for _, kernel, stride in POOLED:
        y = torch.nn.functional.conv2d(y, torch.ones(1, 1, kernel, kernel, dtype=torch.float64), stride=stride)
    y.backward(torch.ones_like(y))
    counts = page.evaluate("(layers) => module.pathCounts(layers)[0]", POOLED)
    np.testing.assert_allclose(x.grad[0, 0].numpy(), np.outer(counts, counts))


def test_the_numbers_of_the_notes(show) -> None:
    page = show(NAME)
    sizes = {name: page.evaluate("(name) => module.parameters(module.PRESETS[name])", name) for name in PRESETS}
    assert sizes["two-3x3"] == {"weights": 18, "biases": 2} and sizes["one-5x5"] == {"weights": 25, "biases": 1}
    assert sizes["five-3x3"]["weights"] == 45 and sizes["one-11x11"]["weights"] == 121
    assert sizes["lenet-5"] == {"weights": 75, "biases": 3}
    module = [torch.nn.Conv2d(1, 1, 3) for _ in range(5)]
    assert sum(p.numel() for layer in module for p in layer.parameters()) == sum(sizes["five-3x3"].values())
    trinomial = np.array([1])
    for _ in range(5):
        trinomial = np.convolve(trinomial, [1, 1, 1])
    assert page.evaluate("module.pathCounts(module.PRESETS['five-3x3'])[0]") == trinomial.tolist()
    found = page.evaluate("(counts) => module.middleShare(counts)", trinomial.tolist())
    assert found["middle"] == 5 and found["share"] == pytest.approx(trinomial[3:8].sum() / 3**5)
    for n in (1, *range(3, 12)):  # as many pixels left out on either side
        middle = page.evaluate("(n) => module.middleShare(Array(n).fill(1)).middle", n)
        assert (n - middle) % 2 == 0 and abs(middle - n / 2) <= 1
    text = page.locator(".nn-fig").inner_text()
    assert "the middle 5 of the 11 pixels carry 83 % of them" in text
    assert "45 + 5 biases = 50. One 11 × 11 layer sees the same: 121 + 1 bias = 122." in text
    page.get_by_label("Stack").select_option(label="two 3 × 3")
    text = page.locator(".nn-fig").inner_text()
    assert "18 + 2 biases = 20. One 5 × 5 layer sees the same: 25 + 1 bias = 26." in text


def test_a_reader_moves_over_the_cells(show) -> None:
    page = show(NAME, {"layers": POOLED})
    text = page.locator(".nn-fig").inner_text
    # Field 8, jump 2: five cells at the top, 16 pixels at the bottom.
    assert page.evaluate("shown.state()") == {"layers": POOLED, "at": [3, 2]}
    assert "Cell 2 of layer 3 sees 8 pixels, number 4 to 11." in text()
    expected = gradient(POOLED, 16, 2)[4:12].astype(int).astype(str).tolist()
    assert page.locator(".nn-count").all_text_contents() == expected
    cell = page.get_by_role("slider", name="Cell")
    cell.focus()
    cell.press("ArrowRight")
    assert page.evaluate("shown.state().at") == [3, 3] and "number 6 to 13" in text()
    page.wait_for_function("document.querySelector('.nn-said').textContent.startsWith('Cell 3 of layer 3 sees')")
    cell.press("ArrowDown")
    assert page.evaluate("shown.state().at[0]") == 2 and "sees 4 pixels" in text()
    assert cell.get_attribute("aria-valuetext").startswith("layer 2, cell")
    cell.press("Shift+ArrowDown")
    assert page.evaluate("shown.state().at[0]") == 0 and "sees itself" in text()
    assert page.locator("tr.nn-now th").text_content() == "image"

    page.evaluate("shown.set({ at: [3, 0] })")
    across = page.evaluate("document.querySelector('[data-at=\"3 4\"]').getBoundingClientRect().x - "
                           "document.querySelector('[data-at=\"3 0\"]').getBoundingClientRect().x")
    drag(page, cell, across, 0)
    assert page.evaluate("shown.state().at") == [3, 4] and "number 8 to 15" in text()
    page.locator("[data-at='1 3']").click()
    assert page.evaluate("shown.state().at") == [1, 3] and "Cell 3 of layer 1 sees 3 pixels, number 3 to 5." in text()
    page.locator("[data-at='3 0']").hover()  # a look in passing
    assert page.evaluate("shown.state().at") == [1, 3] and "Cell 0 of layer 3 sees 8 pixels" in text()
    page.get_by_role("button", name="Add a layer").hover()
    assert "Cell 3 of layer 1 sees 3 pixels" in text()


def test_a_reader_builds_a_stack(show) -> None:
    page = show(NAME, {"preset": "two-3x3"})
    text = page.locator(".nn-fig").inner_text
    add = page.get_by_role("button", name="Add a layer")
    for _ in range(4):
        add.click()
    assert add.is_disabled() and page.evaluate("shown.state().layers.length") == 6 and "r6 = r5" in text()
    page.get_by_label("Kernel of layer 1").select_option("11")
    page.get_by_label("Stride of layer 2").select_option("2")
    page.get_by_label("Kind of layer 2").select_option("pool")
    assert page.evaluate("document.activeElement.getAttribute('aria-label')") == "Kind of layer 2"
    assert page.evaluate("shown.state().layers.slice(0, 2)") == [["conv", 11, 1], ["pool", 3, 2]]
    assert page.get_by_label("Stack").evaluate("(node) => node.selectedOptions[0].textContent") == "your own"
    field = receptive_field([(11, 1), (3, 2)] + [(3, 1)] * 4)
    assert f"sees {field} pixels" in text() and "NaN" not in page.locator(".nn-fig").inner_html()
    for layer in range(1, 7):
        page.get_by_label(f"Stride of layer {layer}").select_option("3")
    field = receptive_field([(11, 3)] + [(3, 3)] * 5)
    assert f"The field has {field} pixels. That is too many to draw" in text()
    for _ in range(5):
        page.get_by_role("button", name="Remove layer 1").click()
    assert page.get_by_role("button", name="Remove layer 1").is_disabled()
    assert page.evaluate("shown.state().layers") == [["conv", 3, 3]]

    wanted = {"layers": [["pool", 4, 2], ["conv", 5, 1]], "at": [1, 2]}
    page.evaluate("(state) => shown.set(state)", wanted)
    assert page.evaluate("shown.state()") == wanted
    picture = page.locator(".nn-body").first.inner_html()
    page.evaluate("shown.set(shown.state())")
    assert page.locator(".nn-body").first.inner_html() == picture
    page.get_by_role("button", name="Reset").click()
    assert page.evaluate("shown.state().layers") == [["conv", 3, 1]] * 2


def test_on_a_phone(show) -> None:
    page = show(NAME, {"preset": "lenet-5"}, width=390, touch=True)
    assert_readable(page)
    cell = page.get_by_role("slider", name="Cell")
    box = cell.bounding_box()
    assert box["width"] >= 24 and box["height"] >= 24
    swipe(page, cell, -90, 0)
    page.wait_for_function("String(shown.state().at) === '5,0'", timeout=3000)


def test_props(show) -> None:
    page = show(NAME)
    assert tuple(page.evaluate("Object.keys(module.PRESETS)")) == PRESETS
    bad = [
        {"preset": "vgg"}, {"layers": []}, {"layers": POOLED * 3}, {"preset": "pooling", "layers": POOLED},
        {"layers": [["conv", 3]]}, {"layers": [["fc", 3, 1]]}, {"layers": [["conv", 12, 1]]},
        {"layers": [["conv", 3, 0]]}, {"layers": [["conv", 1.5, 1]]},
    ]
    for props in bad:
        with pytest.raises(ValueError):
            ReceptiveField(**props)
    figure = ReceptiveField(layers=POOLED)
    assert figure.props == {"layers": POOLED}
    figure.state = page.evaluate("shown.state()")
    assert receptive_field(figure.pairs) == 11
