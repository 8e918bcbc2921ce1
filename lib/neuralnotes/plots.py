"""The one palette and the one figure style of the book.

Call `use_style()` once at the top of a page, then draw with Matplotlib as usual and with the few helpers below. A
helper that is given an `ax` draws on it and returns nothing; a helper that makes its own figure returns it, and a
notebook shows it once, as the value of the cell. Importing this module imports no Matplotlib and chooses no backend.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import LinearSegmentedColormap
    from matplotlib.figure import Figure

# Every figure stands on its own near-white card, also on a dark page. A transparent figure would need one ink for both
# pages, and there is none: white and #121212 are 18.7 : 1 apart, so the best gray between them reaches sqrt(18.7) =
# 4.3 : 1 on each side, below the 4.5 : 1 that small text needs. On a card the ink is dark and the colors are the same
# in both themes.
CARD = "#FCFCFA"
INK = "#262626"
NEUTRAL = "#6B6B6B"
GRID = "#DEDEDA"

# The hues of Okabe and Ito (2008), darkened until each one reaches 4.5 : 1 on the card (so that a direct label in the
# color of its line can be read) and spread in lightness until every pair stays apart for readers who see no red, no
# green or no blue.
BLUE = "#0072B2"
ORANGE = "#B85000"
GREEN = "#00573F"
PURPLE = "#A8507F"
BROWN = "#4A3A00"
ACCENT = ORANGE
"""What matters in a picture; everything else stays `NEUTRAL` or `BLUE`."""
SERIES = (BLUE, ORANGE, GREEN, PURPLE, BROWN)
"""The colors of several lines or classes, in this order."""
MARKERS = ("o", "^", "s", "D", "X")
"""The marker of each class, so that a class never depends on color alone."""

# Fills only: too light for text or thin lines.
SKY = "#56B4E9"
AMBER = "#E69F00"
MINT = "#7FCFB4"
PINK = "#E3B4CE"
SAND = "#CFC08A"
FILLS = (SKY, AMBER, MINT, PINK, SAND)
"""The light partner of each color in `SERIES`."""

_LINE_STYLES = ("-", (0, (5, 1.5)), (0, (1.5, 1.5)), (0, (6, 1.5, 1.5, 1.5)), (0, (9, 2)))


def use_style() -> None:
    """Set Matplotlib's defaults to the style of the book.

    Calling it again changes nothing. In a notebook the figures become SVG, sharp at every zoom. The backend is left
    alone.
    """
    import matplotlib
    from cycler import cycler

    matplotlib.rcParams.update(
        {
            "figure.figsize": (6.4, 3.6),
            "figure.facecolor": CARD,
            "figure.constrained_layout.use": True,
            "savefig.facecolor": CARD,
            "savefig.bbox": "tight",
            "savefig.pad_inches": 0.12,
            "savefig.dpi": 150,
            "svg.hashsalt": "neuralnotes",  # the same figure gives the same file
            "font.size": 11,
            "font.family": ["DejaVu Sans"],  # ships with Matplotlib: the same glyphs on every machine
            "mathtext.fontset": "dejavusans",
            "text.color": INK,
            "axes.facecolor": CARD,
            "axes.edgecolor": NEUTRAL,
            "axes.labelcolor": INK,
            "axes.labelsize": 11,
            "axes.titlesize": 11,
            "axes.titlelocation": "left",
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.axisbelow": True,
            # Line style changes with the color: a second cue for readers who cannot tell two colors apart.
            "axes.prop_cycle": cycler(color=SERIES) + cycler(linestyle=_LINE_STYLES),
            "xtick.color": NEUTRAL,
            "ytick.color": NEUTRAL,
            "xtick.labelcolor": INK,
            "ytick.labelcolor": INK,
            "xtick.labelsize": 10,
            "ytick.labelsize": 10,
            "grid.color": GRID,
            "grid.linewidth": 0.8,
            "lines.linewidth": 2.0,
            "lines.markersize": 6,
            "patch.edgecolor": CARD,
            "image.cmap": "gray",
            "image.interpolation": "nearest",
            "legend.frameon": False,
            "legend.fontsize": 10,
        }
    )
    _use_svg_in_a_notebook()


def sequential_colormap() -> LinearSegmentedColormap:
    """Return the colormap for quantities that start at zero, from the card's white to a deep blue."""
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list("neuralnotes-sequential", [CARD, SKY, BLUE, "#00304D"])


def diverging_colormap() -> LinearSegmentedColormap:
    """Return the colormap for signed quantities: orange below zero, white at zero, blue above."""
    from matplotlib.colors import LinearSegmentedColormap

    stops = ["#6B2E00", ORANGE, AMBER, CARD, SKY, BLUE, "#00304D"]
    return LinearSegmentedColormap.from_list("neuralnotes-diverging", stops)


def decision_regions(
    ax: Axes,
    predict: Callable[[np.ndarray], np.ndarray],
    x: np.ndarray,
    labels: np.ndarray,
    *,
    resolution: int = 200,
    margin: float = 0.1,
) -> None:
    """Color the plane by the predicted class and draw the labeled points on it.

    Args:
        ax: the axes to draw on.
        predict: maps points (M, 2) in float64 to classes (M,), integers from 0.
        x: points, (N, 2).
        labels: classes of the points, (N,), integers from 0 to 4.
        resolution: grid points along each side.
        margin: room around the points, as a share of their extent.

    Raises:
        ValueError: if the shapes do not fit, or there are more classes than colors.
    """
    from matplotlib.colors import BoundaryNorm, ListedColormap

    x, labels = np.asarray(x), np.asarray(labels)
    if x.ndim != 2 or x.shape[1] != 2 or labels.shape != x.shape[:1]:
        raise ValueError(f"decision_regions needs x (N, 2) and labels (N,); got {x.shape} and {labels.shape}.")
    low, high = x.min(axis=0), x.max(axis=0)
    pad = margin * (high - low)
    first = np.linspace(low[0] - pad[0], high[0] + pad[0], resolution)
    second = np.linspace(low[1] - pad[1], high[1] + pad[1], resolution)
    grid = np.stack(np.meshgrid(first, second), axis=-1).reshape(-1, 2)  # (resolution**2, 2)
    regions = np.asarray(predict(grid))
    if regions.shape != (len(grid),):
        raise ValueError(f"predict must map (M, 2) to M classes; it mapped {grid.shape} to {regions.shape}.")
    classes = np.union1d(regions, labels)
    if not np.isin(classes, np.arange(len(SERIES))).all():
        raise ValueError(f"Classes must be integers from 0 to {len(SERIES) - 1}; got {classes.tolist()}.")

    colors = ListedColormap(FILLS)
    ax.imshow(
        regions.reshape(resolution, resolution),
        origin="lower",
        extent=(first[0], first[-1], second[0], second[-1]),
        cmap=colors,
        norm=BoundaryNorm(np.arange(len(FILLS) + 1) - 0.5, colors.N),
        alpha=0.45,
        aspect="auto",
        zorder=0,
    )
    for label in np.unique(labels).astype(int):
        points = x[labels == label]
        ax.scatter(*points.T, c=SERIES[label], marker=MARKERS[label], s=26, edgecolors=CARD, linewidths=0.7)
    ax.set(xlabel="$x_1$", ylabel="$x_2$", xlim=first[[0, -1]], ylim=second[[0, -1]])


def loss_curves(ax: Axes, histories: Mapping[str, Sequence], *, xlabel: str = "epoch", ylabel: str = "loss") -> None:
    """Draw one curve per name: the mean over the runs, and a band from the lowest to the highest run.

    Each curve is labeled at its end. For a logarithmic axis call `ax.set_yscale("log")` first.

    Args:
        ax: the axes to draw on.
        histories: for each name the curve of one run, (epochs,), or of several, (runs, epochs), e.g.
            `{"training": [h.train_loss for h in runs]}`. At most five names.
        xlabel: what is counted along the curve; the first value is epoch 1.
        ylabel: what the curve measures.

    Raises:
        ValueError: if the runs of a name differ in length, or there are more names than colors.
    """
    if len(histories) > len(SERIES):
        raise ValueError(f"loss_curves draws at most {len(SERIES)} names in one picture; got {len(histories)}.")
    ends = []
    for name, runs, color, style in zip(histories, histories.values(), SERIES, _LINE_STYLES, strict=False):
        lengths = {np.size(run) for run in runs}
        if len(lengths) > 1:
            raise ValueError(f"The runs of {name!r} differ in length ({sorted(lengths)}): cut them to one length.")
        curves = np.atleast_2d(np.asarray(runs, dtype=float))  # (runs, epochs)
        epochs = np.arange(1, curves.shape[1] + 1)
        mean = curves.mean(axis=0)
        ax.plot(epochs, mean, color=color, linestyle=style)
        if len(curves) > 1:
            ax.fill_between(epochs, curves.min(axis=0), curves.max(axis=0), color=color, alpha=0.18, linewidth=0)
        ends.append((epochs[-1], mean[-1], name, color))
    ax.set(xlabel=xlabel, ylabel=ylabel)
    _label_ends(ax, ends)


def heatmap(
    ax: Axes,
    matrix: np.ndarray,
    *,
    row_labels: Sequence[str] | None = None,
    column_labels: Sequence[str] | None = None,
    number_format: str | None = ".2f",
    limits: tuple[float, float] | None = None,
) -> None:
    """Draw a matrix as colored cells with the numbers in them.

    A matrix with negative entries gets the diverging colormap with white at zero, any other the sequential one.

    Args:
        ax: the axes to draw on.
        matrix: (rows, columns); NaN leaves a cell empty.
        row_labels: one per row, or None for none.
        column_labels: one per column, or None for none.
        number_format: format specification of the numbers, e.g. ".2f"; None for no numbers.
        limits: smallest and largest value of the color scale. Default: 0, or minus the largest absolute value if
            there are negative entries, to the largest absolute value.

    Raises:
        ValueError: if the matrix is not two-dimensional or the number of labels does not fit.
    """
    from matplotlib.colors import Normalize

    matrix = np.asarray(matrix, dtype=float)
    if matrix.ndim != 2 or matrix.size == 0:
        raise ValueError(f"heatmap needs a matrix (rows, columns); got shape {matrix.shape}.")
    signed = bool(np.nanmin(matrix, initial=0.0) < 0)
    if limits is None:
        largest = float(np.nanmax(np.abs(matrix), initial=0.0)) or 1.0
        limits = (-largest if signed else 0.0, largest)
    colormap = diverging_colormap() if limits[0] < 0 else sequential_colormap()
    scale = Normalize(*limits, clip=True)
    ax.imshow(matrix, cmap=colormap, norm=scale, aspect="equal")
    for axis, labels, count in ((ax.yaxis, row_labels, matrix.shape[0]), (ax.xaxis, column_labels, matrix.shape[1])):
        if labels is not None and len(labels) != count:
            raise ValueError(f"heatmap needs {count} labels along the {axis.axis_name} axis; got {len(labels)}.")
        axis.set_ticks([] if labels is None else range(count), labels=labels)
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    if number_format is None:
        return
    for (row, column), value in np.ndenumerate(matrix):
        if np.isfinite(value):
            cell = colormap(scale(value))[:3]
            # Black and white are 21 : 1 apart: the better of the two is 4.58 : 1 or more on any color.
            ink = "black" if _luminance(cell) > 0.179 else "white"
            text = format(value, number_format).replace("-", "\N{MINUS SIGN}")
            ax.text(column, row, text, ha="center", va="center", color=ink, fontsize=9)


def image_row(
    images: Iterable[np.ndarray], titles: Sequence[str] | None = None, *, limits: tuple[float, float] | None = None
) -> Figure:
    """Show images side by side on one gray scale.

    Args:
        images: each (H, W), or (H, W, 3) with colors in [0, 1].
        titles: one per image, or None for none.
        limits: values shown as black and white. Default: smallest and largest value of all images together.

    Returns:
        The figure; leave it as the last line of a cell to show it.

    Raises:
        ValueError: if there are no images, or the number of titles differs from theirs.
    """
    from matplotlib.figure import Figure

    images = [np.asarray(image) for image in images]
    if not images:
        raise ValueError("image_row needs at least one image.")
    if titles is not None and len(titles) != len(images):
        raise ValueError(f"image_row got {len(images)} images and {len(titles)} titles.")
    low, high = limits or (min(image.min() for image in images), max(image.max() for image in images))
    width = min(2.2, 7.2 / len(images))
    ratio = max(image.shape[0] / image.shape[1] for image in images)
    figure = Figure(figsize=(width * len(images), width * ratio + (0.35 if titles is not None else 0.05)))
    row = figure.subplots(1, len(images), squeeze=False)[0]
    for index, (ax, image) in enumerate(zip(row, images, strict=True)):
        ax.imshow(image, cmap="gray", vmin=low, vmax=high)
        ax.set(xticks=[], yticks=[])
        ax.spines[:].set_visible(False)
        if titles is not None:
            ax.set_title(titles[index], loc="center", fontsize=10)
    return figure


def computational_graph(
    nodes: Sequence[tuple[str, str, Any]],
    values: Mapping[str, Any] | None = None,
    gradients: Mapping[str, Any] | None = None,
    ax: Axes | None = None,
) -> Figure | None:
    """Draw a computation as a graph from left to right: data above each node, gradient below it.

    Args:
        nodes: `(name, op, arguments)` in topological order. The op "input" takes a number, any other a tuple of names
            of earlier nodes, e.g. `[("x", "input", 3.0), ("y", "input", 2.0), ("f", "mul", ("x", "y"))]`.
        values: data by name, numbers or arrays; nodes that are not in it get none. A half-filled mapping draws a
            forward pass that is still under way.
        gradients: gradients by name, likewise.
        ax: the axes to draw on; None makes a figure of the right size.

    Returns:
        The figure, if `ax` is None; leave it as the last line of a cell to show it. Otherwise None.

    Raises:
        ValueError: if a name appears twice, an argument is not an earlier node, or `values` or `gradients` name an
            unknown node.

    Chapter: Backpropagation and automatic differentiation (computational-graph)
    """
    parents = _graph_parents(nodes)
    for mapping, what in ((values, "values"), (gradients, "gradients")):
        unknown = set(mapping or ()) - set(parents)
        if unknown:
            raise ValueError(f"{what} name nodes that are not in the graph: {sorted(unknown)}.")

    labels = {name: (name, _expression(op, parents[name])) for name, op, _ in nodes}
    widths = {name: max(map(_text_width, lines)) + 0.3 for name, lines in labels.items()}
    place, routes, columns = _graph_layout(parents)
    column_widths = np.zeros(columns)
    for name, (column, _) in place.items():
        column_widths[column] = max(column_widths[column], widths.get(name, 0.0))
    gap, row_height, box_height = 0.65, 1.1, 0.52  # inches
    left_edges = np.concatenate([[0.0], np.cumsum(column_widths + gap)])
    center = {key: (left_edges[c] + column_widths[c] / 2, -row_height * r) for key, (c, r) in place.items()}

    heights = [y for _, y in center.values()]
    xlim = (-0.15, left_edges[-1] - gap + 0.15)
    ylim = (min(heights) - box_height / 2 - 0.35, max(heights) + box_height / 2 + 0.35)
    figure = None
    if ax is None:
        from matplotlib.figure import Figure

        figure = Figure(figsize=(xlim[1] - xlim[0], ylim[1] - ylim[0]), layout="none")
        ax = figure.add_axes((0, 0, 1, 1))
    ax.set(xlim=xlim, ylim=ylim, aspect="equal")
    ax.axis("off")

    _draw_edges(ax, parents, routes, center, widths)
    for name, lines in labels.items():
        _draw_node(ax, lines, center[name], widths[name], box_height)
        x, y = center[name]
        for mapping, color, side in ((values, INK, 1), (gradients, ACCENT, -1)):
            if mapping is not None and name in mapping:
                anchor = "bottom" if side > 0 else "top"
                height = y + side * (box_height / 2 + 0.04)
                ax.text(x, height, _number(mapping[name]), ha="center", va=anchor, color=color, fontsize=10)
    return figure


# --- computational_graph, step by step --------------------------------------------------------------------------------

_INFIX = {"add": "+", "sub": "\N{MINUS SIGN}", "mul": "\N{MULTIPLICATION SIGN}", "div": "/", "matmul": "@"}


def _graph_parents(nodes: Sequence[tuple[str, str, Any]]) -> dict[str, tuple[str, ...]]:
    """Return the arguments of each node, () for an input, after checking that the nodes are a graph in order."""
    if not nodes:
        raise ValueError("computational_graph needs at least one node.")
    parents: dict[str, tuple[str, ...]] = {}
    for name, op, arguments in nodes:
        if name in parents:
            raise ValueError(f"Two nodes are called {name!r}.")
        names = () if op == "input" else tuple(arguments)
        for argument in names:
            if argument not in parents:
                raise ValueError(f"Node {name!r} uses {argument!r}, which is not an earlier node.")
        parents[name] = names
    return parents


def _graph_layout(parents: dict[str, tuple[str, ...]]) -> tuple[dict, dict, int]:
    """Place the nodes in columns by depth, and route the edges that skip columns.

    Returns:
        (column, row) of every node and way point, row 0.0 at the top; the way points of each edge, by
        (parent, child); the number of columns.
    """
    depth: dict[str, int] = {}
    for name, names in parents.items():
        depth[name] = 1 + max((depth[parent] for parent in names), default=-1)
    children: dict[str, list[str]] = {name: [] for name in parents}
    for name, names in parents.items():
        for parent in names:
            children[parent].append(name)
    for name, names in parents.items():
        if not names and children[name]:
            depth[name] = min(depth[child] for child in children[name]) - 1  # an input stands next to its first use
    columns: list[list] = [[] for _ in range(max(depth.values()) + 1)]
    for name in parents:
        columns[depth[name]].append(name)

    # An edge that skips columns gets a way point in each of them, so that no edge runs across a box.
    routes: dict[tuple[str, str], list] = {}
    neighbors: dict[Any, list] = {name: [] for name in parents}
    for name, names in parents.items():
        for parent in dict.fromkeys(names):
            route = [(parent, name, column) for column in range(depth[parent] + 1, depth[name])]
            routes[parent, name] = route
            for point in route:
                neighbors[point] = []
                columns[point[2]].append(point)
            for left, right in zip([parent, *route], [*route, name], strict=True):
                neighbors[left].append(right)
                neighbors[right].append(left)

    columns = _fewest_crossings(columns, neighbors)
    place = {key: (column, float(row)) for column, keys in enumerate(columns) for row, key in enumerate(keys)}
    for sweep in range(12):  # move each node to the height of its neighbors, from right to left and back
        for column in range(len(columns)) if sweep % 2 else reversed(range(len(columns))):
            keys = columns[column]
            wishes = [np.mean([place[n][1] for n in neighbors[k]]) if neighbors[k] else place[k][1] for k in keys]
            # A way point is a line: it needs less room than a box with its two numbers.
            for key, row in zip(keys, _spread(wishes, [1.0 if k in parents else 0.3 for k in keys]), strict=True):
                place[key] = (column, row)
    return place, routes, len(columns)


def _fewest_crossings(columns: list[list], neighbors: dict[Any, list]) -> list[list]:
    """Return the columns reordered by sweeps of the barycenter rule, the best order that was met."""
    column_of = {key: column for column, keys in enumerate(columns) for key in keys}
    columns = [list(keys) for keys in columns]

    def crossings() -> int:
        rank = {key: row for keys in columns for row, key in enumerate(keys)}
        total = 0
        for column, keys in enumerate(columns):
            edges = [(rank[k], rank[n]) for k in keys for n in neighbors[k] if column_of[n] == column + 1]
            total += sum((a - c) * (b - d) < 0 for i, (a, b) in enumerate(edges) for c, d in edges[:i])
        return total

    best, fewest = [list(keys) for keys in columns], crossings()
    for sweep in range(16):
        step = -1 if sweep % 2 else 1
        for column in range(len(columns))[::step]:
            rank = {key: row for keys in columns for row, key in enumerate(keys)}

            def height(key: Any, rank: dict = rank, before: int = column - step) -> float:
                near = [rank[n] for n in neighbors[key] if column_of[n] == before]
                return float(np.mean(near)) if near else float(rank[key])

            columns[column].sort(key=height)
        count = crossings()
        if count < fewest:
            best, fewest = [list(keys) for keys in columns], count
    return best


def _spread(wishes: Sequence[float], sizes: Sequence[float]) -> list[float]:
    """Return the centers nearest to `wishes` (in squares) so that things of these sizes stay in order, side by side."""
    sizes = np.asarray(sizes, dtype=float)
    offsets = np.cumsum(sizes) - sizes / 2
    # Pool adjacent violators: neighbors that would overlap form a block that moves as one.
    blocks: list[list[float]] = []  # sum of (wish - offset), count
    for wish, offset in zip(wishes, offsets, strict=True):
        blocks.append([wish - offset, 1])
        while len(blocks) > 1 and blocks[-2][0] / blocks[-2][1] > blocks[-1][0] / blocks[-1][1]:
            total, count = blocks.pop()
            blocks[-1][0] += total
            blocks[-1][1] += count
    starts = [total / count for total, count in blocks for _ in range(int(count))]
    return [float(start + offset) for start, offset in zip(starts, offsets, strict=True)]


def _draw_edges(ax: Axes, parents: dict, routes: dict, center: dict, widths: dict) -> None:
    from matplotlib.patches import FancyArrowPatch
    from matplotlib.path import Path

    for name, names in parents.items():
        # The edges enter a box one below the other, in the order of where they come from.
        ordered = sorted(names, key=lambda parent: -center[[parent, *routes[parent, name]][-1]][1])
        for slot, parent in enumerate(ordered):
            x, y = center[parent]
            points = [(x + widths[parent] / 2, y)]
            points += [center[point] for point in routes[parent, name]]
            x, y = center[name]
            points.append((x - widths[name] / 2 - 0.03, y + 0.2 * ((len(ordered) - 1) / 2 - slot)))
            vertices, codes = [points[0]], [Path.MOVETO]
            slopes = _slopes(points)
            for (x0, y0), (x1, y1), s0, s1 in zip(points, points[1:], slopes, slopes[1:], strict=False):
                half = (x1 - x0) / 2
                vertices += [(x0 + half, y0 + s0 * half), (x1 - half, y1 - s1 * half), (x1, y1)]
                codes += [Path.CURVE4] * 3
            ax.add_patch(
                FancyArrowPatch(
                    path=Path(vertices, codes),
                    arrowstyle="-|>,head_length=4,head_width=2",
                    color=NEUTRAL,
                    linewidth=1.2,
                    zorder=1,
                )
            )


def _slopes(points: Sequence[tuple[float, float]]) -> list[float]:
    """Return the slope of an edge at each of its points: level at the ends and at turns, gentle in between."""
    x, y = np.asarray(points).T
    secants = np.diff(y) / np.diff(x)
    inner = [0.0 if a * b <= 0 else float(min(a, b, key=abs)) for a, b in zip(secants, secants[1:], strict=False)]
    return [0.0, *inner, 0.0]


def _draw_node(ax: Axes, lines: tuple[str, str], center: tuple[float, float], width: float, height: float) -> None:
    from matplotlib.patches import FancyBboxPatch

    x, y = center
    name, expression = lines
    ax.add_patch(
        FancyBboxPatch(
            (x - width / 2, y - height / 2),
            width,
            height,
            boxstyle="round,pad=0,rounding_size=0.1",
            facecolor="#E4F0F8" if expression else "#F0F0EC",
            edgecolor=BLUE if expression else NEUTRAL,
            linewidth=1.2,
            zorder=2,
        )
    )
    if expression:
        ax.text(x, y + 0.11, name, ha="center", va="center", fontsize=11, fontweight="bold", zorder=3)
        ax.text(x, y - 0.12, expression, ha="center", va="center", fontsize=9, zorder=3)
    else:
        ax.text(x, y, name, ha="center", va="center", fontsize=11, fontweight="bold", zorder=3)


def _expression(op: str, names: tuple[str, ...]) -> str:
    if op == "input":
        return ""
    if op in _INFIX and len(names) == 2:
        return f" {_INFIX[op]} ".join(names)
    if op == "neg":
        return f"\N{MINUS SIGN}{names[0]}"
    return f"{op}({', '.join(names)})"


def _text_width(text: str) -> float:
    """Return the width in inches of a text at 11 points, bold, as wide as a box can need it."""
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import TextPath

    if not text:
        return 0.0
    font = FontProperties(family="DejaVu Sans", weight="bold")
    return TextPath((0, 0), text, size=11, prop=font).get_extents().x1 / 72


def _number(value: Any) -> str:
    """Return a number to four significant digits, or the shape of an array."""
    shape = np.shape(value)
    if math.prod(shape) != 1:
        return "\N{MULTIPLICATION SIGN}".join(map(str, shape))
    number = value.item() if hasattr(value, "item") else float(value)
    return f"{number:.4g}".replace("-", "\N{MINUS SIGN}")


# --- shared -----------------------------------------------------------------------------------------------------------


def _label_ends(ax: Axes, ends: Sequence[tuple[float, float, str, str]]) -> None:
    """Write each name at the right end of its curve, moved up or down until no two names overlap."""
    ends = sorted((end for end in ends if np.isfinite(end[1])), key=lambda end: end[1])
    heights = [ax.transData.transform((x, y))[1] for x, y, _, _ in ends]
    pixels_per_point = ax.figure.dpi / 72
    moved = _spread(heights, [13 * pixels_per_point] * len(heights))
    for (x, y, name, color), height, target in zip(ends, heights, moved, strict=True):
        shift = (6, (target - height) / pixels_per_point)
        ax.annotate(
            name, (x, y), xytext=shift, textcoords="offset points", va="center", color=color, annotation_clip=False
        )


def _luminance(rgb: Sequence[float]) -> float:
    """Return the relative luminance of an sRGB color with channels in [0, 1], as WCAG 2 defines it."""
    channels = np.asarray(rgb)
    linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


def _use_svg_in_a_notebook() -> None:
    # Only a running Jupyter kernel has the inline formatter; elsewhere there is nothing to set.
    if "ipykernel" not in sys.modules or "IPython" not in sys.modules:
        return
    shell = sys.modules["IPython"].get_ipython()
    if shell is not None and hasattr(shell, "kernel"):
        from matplotlib_inline.backend_inline import set_matplotlib_formats

        set_matplotlib_formats("svg")
