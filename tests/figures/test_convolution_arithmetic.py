"""The live figure of convolution arithmetic: its numbers against torch and the library, and a reader at work."""

import itertools
import json

import numpy as np
import pytest
import torch

from neuralnotes.convolution import conv_output_size
from neuralnotes.data import photograph
from neuralnotes.figures import ConvolutionArithmetic
from neuralnotes.figures.convolution_arithmetic import FILTERS

from .conftest import assert_readable, drag, swipe

NAME = "convolution_arithmetic"
WORKED = {
    "image": [[1, 1, 1, 0, 0], [0, 1, 1, 1, 0], [0, 0, 1, 1, 1], [0, 0, 1, 1, 0], [0, 1, 1, 0, 0]],
    "weights": [[1, 0, 1], [0, 1, 0], [1, 0, 1]],
    "stride": 1,
    "padding": 0,
}


def torch_conv(image, weights, stride, padding, dilation) -> np.ndarray:
    x, w = (torch.tensor(np.asarray(a), dtype=torch.float64)[None, None] for a in (image, weights))
    return torch.nn.functional.conv2d(x, w, stride=stride, padding=padding, dilation=dilation)[0, 0].numpy()


def test_the_numbers_are_those_of_torch_and_of_the_library(show) -> None:
    page = show(NAME)
    rng = np.random.default_rng(0)
    grid = itertools.product((4, 9), range(1, 6), range(1, 5), range(0, 4), range(1, 4))
    settings = [list(row) for row in grid]
    sizes = page.evaluate("(all) => all.map(([n, f, s, p, d]) => module.outputSize(n, f, s, p, d))", settings)
    cases, fits = [], 0
    for (n, f, s, p, d), found in zip(settings, sizes, strict=True):
        if found["room"] < 0:
            assert found["size"] == 0 and d * (f - 1) + 1 > n + 2 * p
            continue
        image, weights = rng.normal(size=(n, n)), rng.normal(size=(f, f))
        options = {"stride": s, "padding": p, "dilation": d}
        expected = torch_conv(image, weights, **options)
        assert expected.shape == (found["size"], found["size"])
        if d == 1 and found["rest"] == 0:
            fits += 1
            assert conv_output_size(n, f, s, p) == found["size"]
        elif d == 1:
            with pytest.raises(ValueError, match="does not divide"):
                conv_output_size(n, f, s, p)
        cases.append((image.tolist(), weights.tolist(), options, expected))
    assert len(cases) > 300 and fits > 60
    got = page.evaluate("(all) => all.map(([x, w, o]) => module.conv2d(x, w, o))", [case[:3] for case in cases])
    for values, (*_, expected) in zip(got, cases, strict=True):
        np.testing.assert_allclose(values, expected, rtol=1e-10, atol=1e-10)

    # The true convolution flips both axes; on an image that is not square.
    image, weights = rng.normal(size=(5, 8)), rng.normal(size=(3, 3))
    script = "([x, w]) => module.conv2d(x, w, { flip: true, padding: 1 })"
    got = page.evaluate(script, [image.tolist(), weights.tolist()])
    np.testing.assert_allclose(got, torch_conv(image, weights[::-1, ::-1].copy(), 1, 1, 1), atol=1e-12)

    # One cell is the sum of the products of its window, here with a window that hangs over the padding.
    patch = page.evaluate("(x) => module.windowAt(x, 3, 0, 1, { stride: 2, padding: 1, dilation: 2 })", image.tolist())
    padded = np.pad(image, 1)
    np.testing.assert_allclose(patch, padded[0:5:2, 2:7:2])
    assert page.evaluate("module.products([[1, 2], [3, 4]], [[5, 6], [7, 8]])") == [[5, 12], [21, 32]]


def test_cells_that_no_window_reads_have_no_gradient(show) -> None:
    page = show(NAME)
    settings = [(8, 3, 2, 0, 1), (10, 1, 3, 0, 1), (10, 2, 4, 1, 1), (9, 3, 4, 0, 3), (7, 5, 1, 3, 3), (4, 5, 1, 0, 1)]
    for n, f, s, p, d in settings:
        read = page.evaluate("([n, f, s, p, d]) => module.readAlong(n, f, s, p, d)", [n, f, s, p, d])
        if d * (f - 1) + 1 > n + 2 * p:
            assert not any(read)
            continue
        x = torch.zeros(1, 1, n, n, dtype=torch.float64, requires_grad=True)
        w = torch.ones(1, 1, f, f, dtype=torch.float64)
        torch.nn.functional.conv2d(x, w, stride=s, padding=p, dilation=d).sum().backward()
        np.testing.assert_array_equal(np.outer(read, read), x.grad[0, 0].numpy() > 0)


def test_photograph_and_presets(show) -> None:
    page = show(NAME, {"mode": "photo"})
    pixels = np.array(page.evaluate("module.photograph()"))
    expected = photograph("china", shrink=4)
    assert pixels.shape == expected.shape
    assert np.abs(pixels - expected).max() <= 0.5 / 63 + 1e-9
    presets = page.evaluate("module.FILTERS")
    assert tuple(presets) == FILTERS
    assert [np.sum(presets[name]) for name in FILTERS] == pytest.approx([1, 1, 0, 0, 1, 0])
    sobel = torch_conv(pixels, presets["sobel-vertical"], 1, 0, 1)
    got = page.evaluate("module.conv2d(module.photograph(), module.FILTERS['sobel-vertical'])")
    np.testing.assert_allclose(got, sobel, atol=1e-12)

    shown = page.locator(".nn-panels svg image").nth(1)
    before = shown.get_attribute("href")
    page.locator("html").evaluate("(root) => (root.dataset.theme = 'dark')")
    changed = "(old) => document.querySelectorAll('.nn-panels svg image')[1].getAttribute('href') !== old"
    page.wait_for_function(changed, arg=before)
    before = shown.get_attribute("href")
    page.get_by_label("Kernel row 1, column 2").fill("-5")
    assert shown.get_attribute("href") != before
    assert page.get_by_label("Preset").evaluate("(node) => node.selectedOptions[0].textContent") == "your own"
    assert page.evaluate("shown.state().filter") == [-1, 0, 1, -2, 0, -5, -1, 0, 1]
    page.get_by_label("Kernel row 1, column 2").fill("")
    assert page.get_by_label("Kernel row 1, column 2").get_attribute("aria-invalid") == "true"
    assert page.evaluate("shown.state().filter") == [-1, 0, 1, -2, 0, -5, -1, 0, 1]
    page.get_by_label("Preset").select_option(label="mean")
    assert page.evaluate("shown.state().filter") == [0.1111] * 9
    assert "multiplied by 1" in page.locator(".nn-fig").inner_text()
    page.get_by_label("Flip the kernel").check()
    assert "its own flip" in page.locator(".nn-fig").inner_text()

    window = page.get_by_role("slider", name="Window over the input")
    assert page.evaluate("shown.state().spot") == [36, 28]
    window.focus()
    window.press("ArrowDown")
    window.press("Shift+ArrowLeft")
    assert page.evaluate("shown.state().spot") == [37, 18]
    drag(page, window, 40, 0)
    assert page.evaluate("shown.state().spot[0]") == 37 and page.evaluate("shown.state().spot[1]") > 25
    row, column = page.evaluate("shown.state().spot")
    mean = pixels[row : row + 3, column : column + 3].mean()
    assert f"y[{row}, {column}] = {mean:.3g}" in page.locator(".nn-fig").inner_text()


def test_a_reader_drags_the_kernel(show) -> None:
    page = show(NAME, WORKED)
    text = page.locator(".nn-fig").inner_text
    window = page.get_by_role("slider", name="Window over the input")
    assert page.evaluate("shown.state().at") == [1, 1] and "y[1, 1] is the sum of 9 products: 4." in text()
    cell = page.evaluate("document.querySelector('.nn-read').getBoundingClientRect().width")

    drag(page, window, cell, 0)
    assert page.evaluate("shown.state().at") == [1, 2] and "y[1, 2] is the sum of 9 products: 3." in text()
    page.wait_for_function("document.querySelector('.nn-said').textContent === 'Output row 1, column 2: 3.'")
    drag(page, window, -5 * cell, 5 * cell)  # it stops at the edge
    assert page.evaluate("shown.state().at") == [2, 0]
    assert window.get_attribute("aria-valuetext") == "makes output row 2, column 0"
    assert page.evaluate("shown.state().seen") == "111111100"

    # The map of the notes, cell by cell, with the keyboard alone.
    for keys in ("ArrowRight", "ArrowRight"):
        window.press(keys)
    label = page.locator("svg[role=img][aria-label^=Output]").get_attribute("aria-label")
    assert label == "Output y: 3 × 3. 4 3 4; 2 4 3; 2 3 4"
    window.press("ArrowUp")
    window.press("Shift+ArrowLeft")
    assert page.evaluate("shown.state().at") == [1, 0]

    # A click on an output cell takes the window there; the player ends at the last cell.
    page.locator("svg[role=img] rect.nn-cell").nth(7).click()
    assert page.evaluate("shown.state().at") == [2, 1]
    page.get_by_role("button", name="Step").click()
    assert page.evaluate("shown.state().at") == [2, 2]


def test_sizes_are_explained_and_restored(show) -> None:
    page = show(NAME)
    formula, text = page.locator(".nn-formula").inner_text, page.locator(".nn-size").inner_text
    kernel, stride = page.get_by_label("Kernel F"), page.get_by_label("Stride S")
    assert "".join(formula().split()).endswith("⌊6/2⌋+1=4")
    stride.focus()
    stride.press("ArrowRight")
    assert "".join(formula().split()).endswith("⌊6/3⌋+1=3") and "S = 3 divides 6" in text()
    stride.press("ArrowRight")
    assert "S = 4 does not divide 6: 2 left over" in text() and "24 of 49 input cells are never read" in text()
    assert page.locator(".nn-hatch").count() == 24
    page.get_by_label("Padding P").press("Home")
    page.get_by_label("Dilation D").press("End")
    kernel.press("End")
    assert "The kernel reaches over 13 cells and the padded input has only 7" in text() and "=" in formula()
    assert page.get_by_role("button", name="Play").is_disabled()
    assert "NaN" not in page.locator(".nn-fig").inner_html()

    shown = {"mode": "grid", "flip": True, "at": [2, 1]}
    shown |= {"size": 8, "kernel": 2, "stride": 2, "padding": 1, "dilation": 2}
    page.evaluate("(state) => shown.set(state)", shown)
    state = page.evaluate("shown.state()")
    assert {key: state[key] for key in shown} == shown
    picture = page.locator(".nn-body").first.inner_html()
    page.evaluate("shown.set(shown.state())")
    assert page.evaluate("JSON.stringify(shown.state())") == json.dumps(state, separators=(",", ":"))
    assert page.locator(".nn-body").first.inner_html() == picture
    page.get_by_role("button", name="Reset").click()
    assert page.evaluate("shown.state().size") == 7
    page.get_by_role("button", name="Kernels on a photograph").click()
    assert page.evaluate("shown.state().mode") == "photo" and page.get_by_label("Preset").is_visible()


def test_on_a_phone(show) -> None:
    page = show(NAME, {"size": 10, "padding": 3, "kernel": 5}, width=390, touch=True)
    for mode in ("grid", "photo"):
        page.evaluate("(mode) => shown.set({ mode })", mode)
        assert_readable(page)
    page.evaluate("shown.set({ mode: 'grid', at: [0, 0], stride: 1 })")
    window = page.get_by_role("slider", name="Window over the input")
    swipe(page, window, 70, 0)
    page.wait_for_function("shown.state().at[0] === 0 && shown.state().at[1] > 1", timeout=3000)


def test_props(show) -> None:
    page = show(NAME)
    bad = [
        {"mode": "video"}, {"filter": "sobel"}, {"flip": "yes"},
        {"size": 11}, {"kernel": 0}, {"stride": 1.5}, {"padding": True}, {"dilation": 4},
        {"size": 6, "image": WORKED["image"]}, {"image": [[1, 2], [3]]}, {"image": [[0] * 3] * 3},
        {"weights": [[float("nan")]]}, {"size": 4, "kernel": 5, "padding": 0},
    ]
    for props in bad:
        with pytest.raises(ValueError):
            ConvolutionArithmetic(**props)
    figure = ConvolutionArithmetic(**WORKED)
    assert figure.props == WORKED | {"size": 5, "kernel": 3}
    figure.state = page.evaluate("shown.state()")
    np.testing.assert_array_equal(figure.filter_weights, [[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]])
