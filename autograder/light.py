"""What a notebook that is read through finds: the course's data and plots, for real, and a ``check`` that does nothing.

Loaded by path in the zygote of the environment ``reading`` (``kernel.py``), and nowhere else. It holds no method and no
oracle: ``plots`` and ``data`` are the library's own files, which need NumPy and Matplotlib only; what they would need
more for, the trusted side has computed (``reading.handed_in``). ``Screen`` keeps what a cell shows.
"""

from __future__ import annotations

import ast
import gc
import io
import sys
import types
import weakref
from importlib import util
from pathlib import Path

import matplotlib
import numpy as np

matplotlib.use("agg")

import matplotlib.pyplot as plt  # noqa: E402
import mpl_toolkits.mplot3d  # noqa: E402, F401 - loaded on demand otherwise, when there is nothing left to load from
from matplotlib import font_manager, mathtext  # noqa: E402
from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: E402
from matplotlib.figure import Figure  # noqa: E402
from PIL import PngImagePlugin  # noqa: E402, F401

TEXT_LIMIT = 20_000  # characters of one cell that are kept
IMAGE_LIMIT = 300_000  # bytes of one picture
PICTURES = 20  # of one cell
DPI = 72
MAX_INCHES = 20.0
PACKAGES = frozenset({"neuralnotes", "matplotlib", "mpl_toolkits", "PIL", "dateutil", "cycler", "kiwisolver",
                      "contourpy", "fontTools", "packaging", "pyparsing", "six"})


def load(name: str, path: Path) -> types.ModuleType:
    """Load a file as a module of the given name."""
    spec = util.spec_from_file_location(name, path)
    module = sys.modules[name] = util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def install(library: Path, handed_in: Path) -> None:
    """Make the light ``neuralnotes`` importable.

    Args:
        library: Folder of ``plots.py`` and ``data.py``.
        handed_in: The file that ``reading.handed_in`` wrote.
    """
    package = sys.modules["neuralnotes"] = types.ModuleType("neuralnotes")
    package.__path__ = []
    package.check = lambda *arguments, **keywords: None
    package.plots = load("neuralnotes.plots", library / "plots.py")
    package.data = data = load("neuralnotes.data", library / "data.py")
    with np.load(handed_in, allow_pickle=False) as file:
        arrays = {name: file[name] for name in file.files}
    split = [arrays[f"digits {part}"] for part in data.Split._fields]
    photographs = {name: arrays[f"photograph {name}"] for name in ("china", "flower")}
    parameters = {name.removeprefix("reader "): array for name, array in arrays.items() if name.startswith("reader ")}
    pairs = [tuple(pair) for pair in arrays["dates"].tolist()]
    training = int(arrays["training dates"])

    def digits(test_size: int = 360, seed: int = 0):
        if (test_size, seed) != (360, 0):
            raise data.DataNotFound("when a notebook is read through, digits() is there with its own split only")
        return data.Split(*(part.copy() for part in split))

    def absent(name: str):
        def function(*arguments, **keywords):
            raise data.DataNotFound(f"{name}() is not there when a notebook is read through: it would be downloaded")

        return function

    data.digits = digits
    data._sample_image = lambda name: photographs[name].copy()
    for name in ("mnist", "fashion_mnist", "tiny_shakespeare"):
        setattr(data, name, absent(name))
    reader = package.date_reader = sys.modules["neuralnotes.date_reader"] = types.ModuleType("neuralnotes.date_reader")
    reader.parameters = lambda: {name: array.copy() for name, array in parameters.items()}
    reader.training_dates = lambda: pairs[:training]
    reader.held_out_dates = lambda: pairs[training:]
    _warm()


def _warm() -> None:
    """Draw a figure: what is loaded on demand, and the grammar of formulas, is there before forking."""
    sys.modules["neuralnotes.plots"].use_style()
    figure, axes = plt.subplots(1, 2)
    axes[0].semilogy([1, 10], [1, 10], label="$x_1$")
    axes[0].set(title="Title 0123456789", xlabel="label", ylabel="label")
    axes[0].legend()
    sys.modules["neuralnotes.plots"].heatmap(axes[1], np.eye(2))
    _png(figure)
    plt.close("all")
    matplotlib.rcdefaults()
    matplotlib.use("agg")
    # a font keeps its file open, and a kernel starts with all files closed: it opens its own
    font_manager._get_font.cache_clear()
    mathtext.MathTextParser._parse_cached.cache_clear()
    gc.collect()


def _png(figure: Figure) -> bytes:
    """A figure as PNG, at a modest resolution. Not by ``savefig``: the style's tight box would draw it twice."""
    width, height = figure.get_size_inches()
    figure.set_dpi(DPI * min(1.0, MAX_INCHES / max(width, height)))
    written = io.BytesIO()
    FigureCanvasAgg(figure).print_png(written, pil_kwargs={"compress_level": 6})
    return written.getvalue()


class Stream(io.TextIOBase):
    """``sys.stdout`` or ``sys.stderr`` of a cell."""

    def __init__(self, screen: Screen, name: str):
        self.screen, self.stream = screen, name

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        if type(text) is not str:
            raise TypeError("write() takes a string")
        self.screen.text(self.stream, text)
        return len(text)


class Screen:
    """What one cell shows, in order: ``[kind, content]`` with kind ``stdout``, ``stderr``, ``value`` or ``image``."""

    def __init__(self):
        self.shown: list[list] = []
        self._room, self._pictures = TEXT_LIMIT, 0
        self._drawn: weakref.WeakSet[Figure] = weakref.WeakSet()

    def text(self, kind: str, text: str) -> None:
        kept = text[: self._room]
        self._room -= len(kept)
        if not kept:
            return
        if kind != "value" and self.shown and self.shown[-1][0] == kind:
            self.shown[-1][1].append(kept)
        else:
            self.shown.append([kind, [kept]])

    def figure(self, figure: Figure) -> None:
        self._pictures += 1
        if self._pictures > PICTURES:
            return
        self._drawn.add(figure)
        picture = _png(figure)
        if len(picture) > IMAGE_LIMIT:
            self.text("stderr", f"(a picture of {len(picture) // 1000} kB is left out)\n")
        else:
            self.shown.append(["image", np.frombuffer(picture, np.uint8)])

    def show_figures(self, *arguments, **keywords) -> None:
        """In place of ``plt.show``, and once more when the cell is done: draw the open figures."""
        for number in plt.get_fignums():
            figure = plt.figure(number)
            if figure not in self._drawn:
                self.figure(figure)
        plt.close("all")

    def value(self, value) -> None:
        """Show an object as a notebook does: a figure as a picture, anything else by its ``repr``."""
        if isinstance(value, Figure):
            self.figure(value)
        elif value is not None:
            self.text("value", repr(value))

    def taken(self) -> list:
        """What was shown, in a form that crosses the wire."""
        return [[kind, "".join(shown) if isinstance(shown, list) else shown] for kind, shown in self.shown]


def run(source: str, name: str, namespace: dict, screen: Screen) -> None:
    """Run a cell and show the value of its last expression."""
    plt.show = screen.show_figures
    tree = ast.parse(source, name)
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    try:
        exec(compile(tree, name, "exec", dont_inherit=True), namespace)
        if last is not None:
            value = eval(compile(ast.Expression(last.value), name, "eval", dont_inherit=True), namespace)
            if not source.rstrip().endswith(";"):
                namespace["display"](value)
    finally:
        screen.show_figures()
