"""The palette can be read by everyone, and each helper draws what it was given."""

from __future__ import annotations

import itertools
import subprocess
import sys

import matplotlib
import numpy as np
import pytest
from matplotlib.colors import to_hex, to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

from neuralnotes import plots


@pytest.fixture(autouse=True)
def style():
    with matplotlib.rc_context():
        plots.use_style()
        yield


@pytest.fixture
def ax():
    return Figure().subplots()


# --- palette ----------------------------------------------------------------------------------------------------------

# Machado, Oliveira and Fernandes (2009), severity 1, applied to linear RGB.
COLOR_VISION = {
    "full": np.eye(3),
    "no red (protanopia)": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "no green (deuteranopia)": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "no blue (tritanopia)": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}


def linear_rgb(color):
    channels = np.array(to_rgb(color))
    return np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)


def contrast(first, second):
    """The contrast ratio of WCAG 2."""
    dark, light = sorted(float(linear_rgb(c) @ [0.2126, 0.7152, 0.0722]) for c in (first, second))
    return (light + 0.05) / (dark + 0.05)


def lab(linear):
    xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]) @ linear
    xyz = xyz / [0.9505, 1.0, 1.089]
    f = np.where(xyz > 0.008856, np.cbrt(np.clip(xyz, 0, None)), 7.787 * xyz + 16 / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def test_contrast_knows_two_published_values():
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#767676", "#ffffff") == pytest.approx(4.54, abs=0.005)


def test_no_single_ink_is_readable_on_both_pages():
    # The reason for the card: the best gray for a white and a #121212 page reaches 4.33 on the worse of the two.
    best = max(
        min(contrast(c, "#ffffff"), contrast(c, "#121212")) for c in (f"#{g:02x}{g:02x}{g:02x}" for g in range(256))
    )
    assert best < 4.5


@pytest.mark.parametrize("name", ["INK", "NEUTRAL", "BLUE", "ORANGE", "GREEN", "PURPLE", "BROWN", "ACCENT"])
def test_text_colors_are_readable_on_the_card(name):
    assert contrast(getattr(plots, name), plots.CARD) >= 4.5


@pytest.mark.parametrize("vision", COLOR_VISION)
def test_series_stay_apart_for_every_eye(vision):
    seen = {c: lab(np.clip(np.array(COLOR_VISION[vision]) @ linear_rgb(c), 0, 1)) for c in plots.SERIES}
    distance = {pair: np.linalg.norm(seen[pair[0]] - seen[pair[1]]) for pair in itertools.combinations(seen, 2)}
    # The eight colors of Okabe and Ito come as close as 16.
    assert min(distance.values()) > 19, min(distance, key=distance.get)


def test_a_point_can_be_seen_on_its_own_region():
    # Regions are drawn with opacity 0.45 on the card; graphical objects need 3 : 1.
    for color, fill in zip(plots.SERIES, plots.FILLS, strict=True):
        region = 0.45 * np.array(to_rgb(fill)) + 0.55 * np.array(to_rgb(plots.CARD))
        assert contrast(color, region) >= 3


# --- style ------------------------------------------------------------------------------------------------------------


def test_use_style_twice_is_once():
    before = dict(matplotlib.rcParams)
    plots.use_style()
    assert dict(matplotlib.rcParams) == before
    assert before["axes.facecolor"] == plots.CARD and before["figure.constrained_layout.use"]
    assert not before["axes.spines.top"] and not before["axes.spines.right"]


def test_import_loads_no_matplotlib_and_style_chooses_no_backend():
    code = (
        "import sys; from neuralnotes import plots; assert 'matplotlib' not in sys.modules; plots.use_style(); "
        "import matplotlib; assert 'matplotlib.pyplot' not in sys.modules; "
        "assert matplotlib.get_backend(auto_select=False) is None"
    )
    environment = {"PYTHONPATH": ":".join(sys.path), "PATH": "/usr/bin:/bin"}  # without MPLBACKEND
    result = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr


def test_the_same_figure_gives_the_same_svg(tmp_path):
    written = []
    for name in ("first.svg", "second.svg"):
        figure = Figure()
        figure.subplots().plot([0, 1, 4])
        figure.savefig(tmp_path / name, metadata={"Date": None})
        written.append((tmp_path / name).read_bytes())
    assert written[0] == written[1]


# --- helpers ----------------------------------------------------------------------------------------------------------


def test_decision_regions_color_the_plane_by_the_prediction(ax):
    x = np.array([[-1.0, -1.0], [-1.0, 1.0], [1.0, -1.0], [1.0, 1.0]])
    labels = np.array([0, 0, 1, 1])
    plots.decision_regions(ax, lambda points: (points[:, 0] > 0).astype(int), x, labels, resolution=40)
    regions = np.asarray(ax.images[0].get_array())
    assert regions.shape == (40, 40)
    assert (regions[:, :20] == 0).all() and (regions[:, 20:] == 1).all()
    assert ax.get_xlim() == pytest.approx((-1.2, 1.2))
    assert [len(c.get_offsets()) for c in ax.collections] == [2, 2]
    assert [to_hex(c.get_facecolor()[0]).upper() for c in ax.collections] == [plots.BLUE, plots.ORANGE]
    first, second = (c.get_paths()[0].vertices.shape for c in ax.collections)
    assert first != second, "classes have different markers"


def test_decision_regions_rejects_what_it_cannot_draw(ax):
    x, labels = np.zeros((3, 2)), np.array([0, 1, 5])
    with pytest.raises(ValueError, match="from 0 to 4"):
        plots.decision_regions(ax, lambda points: np.zeros(len(points), dtype=int), x, labels)
    with pytest.raises(ValueError, match=r"\(3, 3\)"):
        plots.decision_regions(ax, lambda points: points[:, 0], np.zeros((3, 3)), labels)
    with pytest.raises(ValueError, match="predict must map"):
        plots.decision_regions(ax, lambda points: points, x, np.array([0, 1, 1]))


def test_loss_curves_draw_mean_and_range_and_label_the_ends(ax):
    runs = np.array([[3.0, 2.0, 1.0], [5.0, 2.0, 0.0]])
    plots.loss_curves(ax, {"training": runs, "one run": [1.0, 1.0, 0.6]})
    mean, single = (line.get_ydata() for line in ax.lines)
    np.testing.assert_array_equal(mean, [4.0, 2.0, 0.5])
    np.testing.assert_array_equal(single, [1.0, 1.0, 0.6])
    np.testing.assert_array_equal(ax.lines[0].get_xdata(), [1, 2, 3])
    assert len(ax.collections) == 1, "a single run has no band"
    band = ax.collections[0].get_paths()[0].vertices
    assert {(1.0, 3.0), (1.0, 5.0), (3.0, 0.0), (3.0, 1.0)} <= set(map(tuple, band))
    assert [text.get_text() for text in ax.texts] == ["training", "one run"]
    assert ax.lines[0].get_linestyle() != ax.lines[1].get_linestyle()


def test_labels_of_close_ends_do_not_overlap():
    figure = Figure(figsize=(5, 3))
    ax = figure.subplots()
    plots.loss_curves(ax, {name: [1.0, 0.5] for name in ("a", "b", "c")} | {"far": [0.0, 0.0]})
    figure.canvas.draw()
    boxes = [text.get_window_extent() for text in ax.texts]
    assert not any(first.overlaps(second) for first, second in itertools.combinations(boxes, 2))


def test_loss_curves_rejects_runs_of_different_length(ax):
    with pytest.raises(ValueError, match=r"'training' differ in length \(\[2, 3\]\)"):
        plots.loss_curves(ax, {"training": [[1.0, 2.0], [1.0, 2.0, 3.0]]})
    with pytest.raises(ValueError, match="at most 5"):
        plots.loss_curves(ax, {str(i): [1.0] for i in range(6)})


def test_heatmap_writes_the_numbers_readably(ax):
    matrix = np.linspace(-2, 2, 40).reshape(5, 8)
    matrix[0, 1] = np.nan
    plots.heatmap(ax, matrix, row_labels=list("abcde"), number_format=".1f")
    assert len(ax.texts) == 39
    assert ax.texts[0].get_text() == "\N{MINUS SIGN}2.0"
    assert [label.get_text() for label in ax.get_yticklabels()] == list("abcde")
    image = ax.images[0]
    assert (image.norm.vmin, image.norm.vmax) == (-2.0, 2.0), "white is zero"
    for text in ax.texts:
        column, row = text.get_position()
        assert contrast(text.get_color(), image.cmap(image.norm(matrix[row, column]))[:3]) >= 4.5


def test_heatmap_of_weights_starts_at_zero(ax):
    plots.heatmap(ax, np.array([[0.2, 0.8]]), number_format=None)
    assert (ax.images[0].norm.vmin, ax.images[0].norm.vmax) == (0.0, 0.8)
    assert not ax.texts
    with pytest.raises(ValueError, match="2 labels along the x"):
        plots.heatmap(ax, np.array([[0.2, 0.8]]), column_labels=["one"])
    with pytest.raises(ValueError, match=r"\(3,\)"):
        plots.heatmap(ax, np.zeros(3))


def test_image_row_uses_one_gray_scale():
    figure = plots.image_row([np.zeros((4, 4)), np.full((4, 4), 3.0)], ["dark", "bright"])
    assert [ax.get_title() for ax in figure.axes] == ["dark", "bright"]
    assert {(ax.images[0].norm.vmin, ax.images[0].norm.vmax) for ax in figure.axes} == {(0.0, 3.0)}
    with pytest.raises(ValueError, match="1 images and 2 titles"):
        plots.image_row([np.zeros((2, 2))], ["a", "b"])
    with pytest.raises(ValueError, match="at least one"):
        plots.image_row([])


# --- computational graph ----------------------------------------------------------------------------------------------

NODES = [
    ("x", "input", 3.0),
    ("y", "input", -2.0),
    ("p", "mul", ("x", "y")),
    ("s", "mul", ("x", "x")),
    ("m", "max", ("p", "s")),
    ("n", "neg", ("m",)),
    ("f", "sub", ("n", "y")),
]
VALUES = {"x": 3.0, "y": -2.0, "p": -6.0, "s": 9.0, "m": 9.0, "n": -9.0, "f": -7.0}


def boxes(ax):
    """The boxes by name, from the bold text in their middle."""
    found = {}
    for patch in (p for p in ax.patches if isinstance(p, FancyBboxPatch)):
        inside = [t for t in ax.texts if t.get_fontweight() == "bold" and patch.get_bbox().contains(*t.get_position())]
        (name,) = inside
        found[name.get_text()] = patch.get_bbox()
    return found


def test_graph_has_every_node_edge_and_number():
    figure = plots.computational_graph(NODES, VALUES, {"f": 1.0, "x": -6.0})
    ax = figure.axes[0]
    assert set(boxes(ax)) == {name for name, _, _ in NODES}
    arrows = [p for p in ax.patches if isinstance(p, FancyArrowPatch)]
    assert len(arrows) == 9, "one for each use of a node, also when one node uses another twice"
    texts = [text.get_text() for text in ax.texts]
    assert {"x × y", "x × x", "max(p, s)", "−m", "n − y", "−7"} <= set(texts)
    by_color = {color: [t.get_text() for t in ax.texts if t.get_color() == color] for color in (plots.ACCENT,)}
    assert sorted(by_color[plots.ACCENT]) == sorted(["1", "−6"])


def test_data_stand_above_and_gradients_below_their_node():
    ax = plots.computational_graph(NODES, {"p": -6.0}, {"p": 0.25}).axes[0]
    box = boxes(ax)["p"]
    (above,) = (t for t in ax.texts if t.get_text() == "−6")
    (below,) = (t for t in ax.texts if t.get_text() == "0.25")
    assert above.get_position()[1] > box.y1 and below.get_position()[1] < box.y0
    assert above.get_position()[0] == below.get_position()[0] == pytest.approx((box.x0 + box.x1) / 2)


def random_nodes(seed):
    rng = np.random.default_rng(seed)
    nodes = [(f"x{i}", "input", 1.0) for i in range(3)]
    for i in range(12):
        earlier = [name for name, _, _ in nodes]
        nodes.append((f"v{i}", "add", tuple(rng.choice(earlier, 2).tolist())))
    return nodes


@pytest.mark.parametrize("nodes", [NODES, *map(random_nodes, range(5))], ids=["example", *"01234"])
def test_layout_runs_left_to_right_and_nothing_overlaps(nodes):
    figure = plots.computational_graph(nodes, {n[0]: 0.5 for n in nodes}, {n[0]: 0.5 for n in nodes})
    ax = figure.axes[0]
    placed = boxes(ax)
    for name, op, arguments in nodes:
        for argument in arguments if op != "input" else ():
            assert placed[argument].x1 < placed[name].x0
    for first, second in itertools.combinations(placed.values(), 2):
        apart_x = first.x1 <= second.x0 or second.x1 <= first.x0
        assert apart_x or abs(first.y0 - second.y0) > 1.0, "boxes of a column leave room for two numbers"
    for arrow in (p for p in ax.patches if isinstance(p, FancyArrowPatch)):
        path = arrow.get_path().interpolated(1).to_polygons(closed_only=False)[0]
        for name, box in placed.items():
            shrunk = box.padded(-0.02)
            inside = ((path > [shrunk.x0, shrunk.y0]) & (path < [shrunk.x1, shrunk.y1])).all(axis=1)
            assert not inside.any(), f"an edge runs across {name}"


def test_labels_stay_inside_their_box():
    long = [("a_rather_long_name", "input", 1.0), ("out", "exp", ("a_rather_long_name",))]
    figure = plots.computational_graph(long)
    figure.canvas.draw()
    ax = figure.axes[0]
    patches = [p.get_window_extent() for p in ax.patches if isinstance(p, FancyBboxPatch)]
    for text in ax.texts:
        extent = text.get_window_extent()
        assert any(p.x0 <= extent.x0 and extent.x1 <= p.x1 for p in patches), text.get_text()


def test_a_graph_of_the_engine_can_be_drawn():
    torch = pytest.importorskip("torch")
    nodes = [("w", "input", torch.zeros(2, 3)), ("f", "sum", ("w",))]
    values = {"w": torch.zeros(2, 3), "f": torch.tensor(-0.5)}
    texts = [t.get_text() for t in plots.computational_graph(nodes, values).axes[0].texts]
    assert {"2×3", "−0.5", "sum(w)"} <= set(texts)


def test_graph_on_given_axes_returns_nothing(ax):
    assert plots.computational_graph(NODES, ax=ax) is None
    assert set(boxes(ax)) == set(VALUES)


@pytest.mark.parametrize(
    ("nodes", "values", "message"),
    [
        ([], None, "at least one node"),
        ([("x", "input", 1.0), ("x", "neg", ("x",))], None, "Two nodes are called 'x'"),
        ([("f", "neg", ("x",)), ("x", "input", 1.0)], None, "'f' uses 'x', which is not an earlier node"),
        ([("x", "input", 1.0)], {"z": 1.0}, r"values name nodes that are not in the graph: \['z'\]"),
    ],
)
def test_graph_errors_say_what_is_wrong(nodes, values, message):
    with pytest.raises(ValueError, match=message):
        plots.computational_graph(nodes, values)
