"""Data sets: small ones that need no network, and three large ones that are fetched once.

Everything comes back as NumPy arrays. The small sets ship with scikit-learn or are drawn by a seeded generator: the
same call gives the same arrays on every machine. `mnist`, `fashion_mnist` and `tiny_shakespeare` read the folder named
by the environment variable `NEURALNOTES_DATA`, laid out as

    mnist/train-images-idx3-ubyte.gz          fashion-mnist/train-images-idx3-ubyte.gz
    mnist/train-labels-idx1-ubyte.gz          ... (the same four names)
    mnist/t10k-images-idx3-ubyte.gz
    mnist/t10k-labels-idx1-ubyte.gz           text/tinyshakespeare.txt

and what is not there is downloaded once into the user's cache. Nothing is read or fetched when the module is imported.
"""

from __future__ import annotations

import datetime
import gzip
import hashlib
import os
import zlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

FASHION_CLASSES = (
    "T-shirt/top",
    "trouser",
    "pullover",
    "dress",
    "coat",
    "sandal",
    "shirt",
    "sneaker",
    "bag",
    "ankle boot",
)
"""What the ten labels of `fashion_mnist` mean."""


class DataNotFound(FileNotFoundError):
    """A data set is neither in the folder `NEURALNOTES_DATA` nor in the cache, and cannot be downloaded."""


class DataCorrupt(ValueError):
    """A file is there, but its content is not the data set it should be."""


class Split(NamedTuple):
    """A labeled data set in two parts.

    Attributes:
        x_train: training examples, (N, ...).
        labels_train: their classes, (N,), int64.
        x_test: examples held out, (M, ...).
        labels_test: their classes, (M,), int64.
    """

    x_train: np.ndarray
    labels_train: np.ndarray
    x_test: np.ndarray
    labels_test: np.ndarray


# --- images that ship with scikit-learn -------------------------------------------------------------------------------


def digits(test_size: int = 360, seed: int = 0) -> Split:
    """Return 1797 handwritten digits of 8 by 8 pixels.

    Args:
        test_size: how many images are held out; every digit keeps its share.
        seed: of the split.

    Returns:
        Images (N, 8, 8), float64 in [0, 1], 0 the background; labels (N,), int64 from 0 to 9.
        `x.reshape(len(x), -1)` makes each image a row of 64 numbers.

    Raises:
        ValueError: if `test_size` leaves too few images in one of the parts.

    Source: Alpaydin and Kaynak (1998), Optical Recognition of Handwritten Digits, UCI; as packaged by scikit-learn.

    Chapter: Learning from data (ai-ml-dl-nesting)
    """
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    bunch = load_digits()
    labels = bunch.target.astype(np.int64)
    x_train, x_test, labels_train, labels_test = train_test_split(
        bunch.images / 16.0, labels, test_size=test_size, random_state=seed, stratify=labels
    )
    return Split(x_train, labels_train, x_test, labels_test)


def photograph(name: str = "china", *, color: bool = False, shrink: int = 2) -> np.ndarray:
    """Return a photograph, made smaller by averaging blocks of pixels.

    Args:
        name: "china" (a temple: straight edges) or "flower" (a dahlia: soft ones).
        color: red, green and blue instead of the luma 0.299 R + 0.587 G + 0.114 B.
        shrink: side of a block in pixels of the original, which has 427 by 640; rows and columns that fill no block
            are cut off.

    Returns:
        (H, W), or (H, W, 3) in color; float64 in [0, 1]; 213 by 320 by default.

    Raises:
        ValueError: if there is no such photograph or `shrink` is not from 1 to 427.

    Source: Flickr, danielbuechele (china) and vultilion (flower), CC BY 2.0; as packaged by scikit-learn.

    Chapter: Convolutional networks
    """
    if name not in ("china", "flower"):
        raise ValueError(f"There is no photograph {name!r}; take 'china' or 'flower'.")
    pixels = _sample_image(name) / 255.0  # (427, 640, 3)
    if not 1 <= shrink <= min(pixels.shape[:2]):
        raise ValueError(f"shrink must be from 1 to {min(pixels.shape[:2])}; got {shrink}.")
    height, width = pixels.shape[0] // shrink, pixels.shape[1] // shrink
    blocks = pixels[: height * shrink, : width * shrink].reshape(height, shrink, width, shrink, 3)
    small = blocks.mean(axis=(1, 3))  # (H, W, 3)
    return small if color else small @ np.array([0.299, 0.587, 0.114])


def _sample_image(name: str) -> np.ndarray:
    """Return a photograph as it ships: uint8, (427, 640, 3)."""
    from sklearn.datasets import load_sample_image

    return load_sample_image(f"{name}.jpg")


# --- points in the plane ----------------------------------------------------------------------------------------------


def moons(n: int = 200, noise: float = 0.1, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return two half circles that reach into each other.

    Args:
        n: number of points; the classes differ by one at most.
        noise: standard deviation of the normal noise added to each coordinate.
        seed: of the generator.

    Returns:
        Points (n, 2), float64; labels (n,), int64, 0 or 1. The points come in random order.

    Raises:
        ValueError: if `n` is less than 2.

    Chapter: Multi-layer networks
    """
    rng, labels = _start(n, 2, seed)
    angle = rng.uniform(0, np.pi, n)
    upper = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    x = np.where(labels[:, None] == 0, upper, np.array([1.0, 0.5]) - upper)
    return x + noise * rng.normal(size=x.shape), labels


def circles(n: int = 200, noise: float = 0.1, ratio: float = 0.5, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return a circle of radius 1, class 0, around one of radius `ratio`, class 1.

    Args:
        n: number of points; the classes differ by one at most.
        noise: standard deviation of the normal noise added to each coordinate.
        ratio: radius of the inner circle.
        seed: of the generator.

    Returns:
        Points (n, 2), float64; labels (n,), int64, 0 or 1. The points come in random order.

    Raises:
        ValueError: if `n` is less than 2.

    Chapter: Learning from data (learned-vs-handcrafted-features)
    """
    rng, labels = _start(n, 2, seed)
    angle = rng.uniform(0, 2 * np.pi, n)
    x = np.stack([np.cos(angle), np.sin(angle)], axis=1) * np.where(labels == 0, 1.0, ratio)[:, None]
    return x + noise * rng.normal(size=x.shape), labels


def spirals(
    n: int = 300, noise: float = 0.05, classes: int = 3, turns: float = 0.75, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Return one spiral arm per class, from the origin to radius 1.

    Args:
        n: number of points; the classes differ by one at most.
        noise: standard deviation of the normal noise added to each coordinate.
        classes: number of arms.
        turns: how often an arm winds around the origin.
        seed: of the generator.

    Returns:
        Points (n, 2), float64; labels (n,), int64 from 0. The points come in random order.

    Raises:
        ValueError: if there are fewer points than classes, or fewer than 1 class.

    Chapter: Multi-layer networks
    """
    rng, labels = _start(n, classes, seed)
    radius = np.sqrt(rng.uniform(0.01, 1, n))  # the outer turns are longer and get more points
    angle = 2 * np.pi * (turns * radius + labels / classes)
    x = radius[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return x + noise * rng.normal(size=x.shape), labels


def blobs(n: int = 200, noise: float = 0.5, classes: int = 3, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return one normal cloud per class, the centers evenly spaced on a circle of radius 2.

    Args:
        n: number of points; the classes differ by one at most.
        noise: standard deviation of the normal noise added to each coordinate.
        classes: number of clouds.
        seed: of the generator.

    Returns:
        Points (n, 2), float64; labels (n,), int64 from 0. The points come in random order.

    Raises:
        ValueError: if there are fewer points than classes, or fewer than 1 class.

    Chapter: The perceptron (linear-separability)
    """
    rng, labels = _start(n, classes, seed)
    angle = 2 * np.pi * labels / classes
    x = 2 * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return x + noise * rng.normal(size=x.shape), labels


def xor(n: int = 200, noise: float = 0.2, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return clouds around the corners (+-1, +-1); the class is 1 where the signs of the corner differ.

    The two corners of a class have the same chance for each point.

    Args:
        n: number of points; the classes differ by one at most.
        noise: standard deviation of the normal noise added to each coordinate.
        seed: of the generator.

    Returns:
        Points (n, 2), float64; labels (n,), int64, 0 or 1. The points come in random order.

    Raises:
        ValueError: if `n` is less than 2.

    Chapter: The perceptron (xor-not-separable)
    """
    rng, labels = _start(n, 2, seed)
    first = rng.choice([-1.0, 1.0], n)
    x = np.stack([first, np.where(labels == 0, first, -first)], axis=1)
    return x + noise * rng.normal(size=x.shape), labels


def separable(n: int = 40, margin: float = 0.2, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return two classes that a straight line separates, each at least `margin` away from it.

    The line has a random direction and passes within 0.5 of the origin. One point of each class lies at the distance
    `margin` exactly; the others are uniform in the disk of radius 2, as far as they keep their distance.

    Args:
        n: number of points; the classes differ by one at most.
        margin: smallest distance from the line, 0 to 1.
        seed: of the generator.

    Returns:
        Points (n, 2), float64; labels (n,), int64, 0 or 1. The points come in random order.

    Raises:
        ValueError: if `n` is less than 2, or `margin` is not from 0 to 1.

    Chapter: The perceptron (perceptron-convergence)
    """
    if not 0 <= margin <= 1:
        raise ValueError(f"margin must be from 0 to 1, got {margin}.")
    rng, labels = _start(n, 2, seed)
    angle, offset = rng.uniform(0, 2 * np.pi), rng.uniform(-0.5, 0.5)
    normal = np.array([np.cos(angle), np.sin(angle)])
    side = 2 * labels - 1  # -1 or +1
    nearest = np.zeros(n, dtype=bool)
    nearest[[np.argmax(labels == 0), np.argmax(labels == 1)]] = True
    # Distance from the line, towards the side of the class; then a place along the line that keeps inside the disk.
    room = 2 - side * offset  # how far the disk reaches on this side
    distance = np.where(nearest, margin, rng.uniform(margin, room))
    across = offset + side * distance  # signed distance from the origin, along the normal
    along = rng.uniform(-1, 1, n) * np.sqrt(np.maximum(4 - across**2, 0))
    return across[:, None] * normal + along[:, None] * [-normal[1], normal[0]], labels


def _start(n: int, classes: int, seed: int) -> tuple[np.random.Generator, np.ndarray]:
    """Return a generator and balanced labels in random order."""
    if classes < 1 or n < classes:
        raise ValueError(f"{n} points cannot fill {classes} classes; ask for at least one point per class.")
    rng = np.random.default_rng(seed)
    return rng, rng.permutation(np.arange(n, dtype=np.int64) % classes)


# --- graphs -----------------------------------------------------------------------------------------------------------


def communities(
    n: int = 60, classes: int = 3, seed: int = 0, inside: float = 0.3, between: float = 0.03
) -> tuple[np.ndarray, np.ndarray]:
    """Return a connected graph of communities: many edges inside a class, few between classes.

    Each pair of nodes gets an edge by chance. If the graph falls into parts, each part is joined to the one of node 0
    by one more edge between random nodes.

    Args:
        n: number of nodes; the classes differ by one at most.
        classes: number of communities.
        seed: of the generator.
        inside: chance of an edge between two nodes of one class.
        between: chance of an edge between two nodes of different classes.

    Returns:
        Adjacency matrix (n, n), float64, 0 or 1, symmetric, zeros on the diagonal; labels (n,), int64 from 0.

    Raises:
        ValueError: if there are fewer nodes than classes, fewer than 1 class, or a chance is not from 0 to 1.

    Source: Condon and Karp (2001), Algorithms for graph partitioning on the planted partition model.

    Chapter: Convolutional networks (gcn-spatial-filtering)
    """
    from scipy.sparse.csgraph import connected_components

    for chance in (inside, between):
        if not 0 <= chance <= 1:
            raise ValueError(f"The chance of an edge must be from 0 to 1; got {chance}.")
    rng, labels = _start(n, classes, seed)
    chances = np.where(labels[:, None] == labels, inside, between)  # (n, n)
    upper = np.triu(rng.random((n, n)) < chances, k=1)
    adjacency = (upper | upper.T).astype(np.float64)
    parts = connected_components(adjacency)[1]  # (n,), the number of the part of each node
    while (parts != parts[0]).any():
        i, j = rng.choice(np.flatnonzero(parts == parts[0])), rng.choice(np.flatnonzero(parts != parts[0]))
        adjacency[i, j] = adjacency[j, i] = 1.0
        parts[parts == parts[j]] = parts[0]
    return adjacency, labels


# --- dates for translation --------------------------------------------------------------------------------------------

# Not from the calendar module: its names follow the reader's locale.
_MONTHS = "january february march april may june july august september october november december".split()
_WEEKDAYS = "monday tuesday wednesday thursday friday saturday sunday".split()
_FIRST_DATE, _LAST_DATE = datetime.date(1970, 1, 1), datetime.date(2069, 12, 31)

DATE_LENGTH = 29
"""Characters of the longest text that `dates` writes, e.g. "wednesday, september 30, 1998"."""


def dates(n: int, seed: int = 0) -> list[tuple[str, str]]:
    """Return pairs of a date as people write it and the same date in ISO 8601.

    The texts mix eight ways of writing, e.g. "saturday, 14 march 1998", "march 14, 1998", "the 3rd of may, 2021",
    "14.03.98". Each can be read in one way only: dots always mean day, month, year, and the years run from 1970 to
    2069, so two digits are enough. No date comes twice, so a part held out shares no date with the rest.

    Args:
        n: number of pairs, at most 36525.
        seed: of the generator.

    Returns:
        A list of (text, ISO text), e.g. ("14.03.98", "1998-03-14"), in random order.

    Raises:
        ValueError: if `n` is negative or larger than the number of days.

    Chapter: Attention and transformers
    """
    days = (_LAST_DATE - _FIRST_DATE).days + 1
    if not 0 <= n <= days:
        raise ValueError(f"n must be from 0 to {days}, the number of different dates; got {n}.")
    rng = np.random.default_rng(seed)
    numbers = rng.choice(days, size=n, replace=False)
    styles = rng.integers(8, size=n)
    pairs = []
    for number, style in zip(numbers.tolist(), styles.tolist(), strict=True):
        date = _FIRST_DATE + datetime.timedelta(days=number)
        pairs.append((_write_date(date, style), date.isoformat()))
    return pairs


def _write_date(date: datetime.date, style: int) -> str:
    day, year = date.day, date.year
    month, weekday = _MONTHS[date.month - 1], _WEEKDAYS[date.weekday()]
    ending = "th" if 11 <= day <= 13 else {1: "st", 2: "nd", 3: "rd"}.get(day % 10, "th")
    return (
        f"{day} {month} {year}",
        f"{month} {day}, {year}",
        f"{weekday}, {day} {month} {year}",
        f"{weekday}, {month} {day}, {year}",
        f"{day} {month[:3]} {year % 100:02d}",
        f"the {day}{ending} of {month}, {year}",
        f"{day:02d}.{date.month:02d}.{year}",
        f"{day:02d}.{date.month:02d}.{year % 100:02d}",
    )[style]


class Vocabulary:
    """Characters as integers: 0 is padding, 1 marks the start of a sequence, the characters follow from 2.

    Args:
        characters: any text or collection of characters; each is taken once, in sorted order.

    Attributes:
        characters: the characters, so that index i stands for `characters[i - 2]`.

    Chapter: Sequences and recurrent networks
    """

    padding = 0
    start = 1

    def __init__(self, characters: Iterable[str]) -> None:
        self.characters = "".join(sorted(set(characters)))
        self._index = {character: index for index, character in enumerate(self.characters, start=2)}

    def __len__(self) -> int:
        """Return the number of indices, padding and start included: the width of an embedding or of the logits."""
        return len(self.characters) + 2

    def encode(self, texts: Sequence[str], length: int | None = None) -> np.ndarray:
        """Return the texts as one array, filled up with padding at the right.

        Args:
            texts: N texts.
            length: columns of the result; default: the length of the longest text.

        Returns:
            (N, length), int64. `encoded != vocabulary.padding` is the mask of the real characters.

        Raises:
            TypeError: if `texts` is one text instead of a list.
            ValueError: if a text is longer than `length` or holds an unknown character.
        """
        if isinstance(texts, str):
            raise TypeError("encode takes a list of texts; for a single one pass [text].")
        length = max(map(len, texts), default=0) if length is None else length
        encoded = np.full((len(texts), length), self.padding, dtype=np.int64)
        for row, text in zip(encoded, texts, strict=True):
            if len(text) > length:
                raise ValueError(f"{text!r} has {len(text)} characters, more than length={length}.")
            unknown = set(text) - self._index.keys()
            if unknown:
                raise ValueError(f"{text!r} holds {sorted(unknown)}, which the vocabulary does not have.")
            row[: len(text)] = [self._index[character] for character in text]
        return encoded

    def decode(self, indices: np.ndarray) -> list[str]:
        """Return the texts of an array of indices, without padding and start marks.

        Args:
            indices: (N, length), integers.

        Returns:
            N texts.

        Raises:
            ValueError: if the array is not two-dimensional or an index is out of range.
        """
        indices = np.asarray(indices)
        if indices.ndim != 2:
            raise ValueError(f"decode takes indices (N, length); got shape {indices.shape}.")
        if indices.size and not (0 <= indices.min() and indices.max() < len(self)):
            raise ValueError(f"Indices must be from 0 to {len(self) - 1}.")
        return ["".join(self.characters[index - 2] for index in row if index >= 2) for row in indices.tolist()]


def date_vocabulary() -> Vocabulary:
    """Return the vocabulary of both sides of `dates`: letters, digits, space, and `,.-`.

    Chapter: Attention and transformers
    """
    return Vocabulary("abcdefghijklmnopqrstuvwxyz0123456789 ,.-")


# --- large sets, from a folder or downloaded once ---------------------------------------------------------------------


class _File(NamedTuple):
    path: str  # inside the data folder, and inside the cache
    url: str
    download: str  # checksum of what the address serves
    content: str  # checksum of the content, decompressed: the same data may be compressed in more than one way


_MNIST = "https://ossci-datasets.s3.amazonaws.com/mnist"
_FASHION = "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com"
_NAMES = (
    "train-images-idx3-ubyte.gz",
    "train-labels-idx1-ubyte.gz",
    "t10k-images-idx3-ubyte.gz",
    "t10k-labels-idx1-ubyte.gz",
)
_MNIST_SUMS = (
    (
        "sha256:440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
        "sha256:ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    ),
    (
        "sha256:3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
        "sha256:65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    ),
    (
        "sha256:8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
        "sha256:0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    ),
    (
        "sha256:f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
        "sha256:ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
    ),
)
# The publishers of Fashion-MNIST give MD5 sums.
_FASHION_SUMS = (
    ("md5:8d4fb7e6c68d591d4c3dfef9ec88bf0d", "md5:f4a8712d7a061bf5bd6d2ca38dc4d50a"),
    ("md5:25c81989df183df01b3e8a0aad5dffbe", "md5:9018921c3c673c538a1fc5bad174d6f9"),
    ("md5:bef4ecab320f06d8554ea6380940ec79", "md5:8181f5470baa50b63fa0f6fddb340f0a"),
    ("md5:bb300cfdad3c16e7a12a480ee83cd310", "md5:15d484375f8d13e6eb1aabb0c3f46965"),
)
_MNIST_FILES = tuple(_File(f"mnist/{n}", f"{_MNIST}/{n}", *s) for n, s in zip(_NAMES, _MNIST_SUMS, strict=True))
_FASHION_FILES = tuple(
    _File(f"fashion-mnist/{n}", f"{_FASHION}/{n}", *s) for n, s in zip(_NAMES, _FASHION_SUMS, strict=True)
)
_SHAKESPEARE = _File(
    "text/tinyshakespeare.txt",
    "https://raw.githubusercontent.com/karpathy/char-rnn/master/data/tinyshakespeare/input.txt",
    "sha256:86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed",
    "sha256:86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed",
)


def mnist() -> Split:
    """Return MNIST: 60,000 training and 10,000 test images of handwritten digits.

    Returns:
        Images (N, 28, 28), float32 in [0, 1], 0 the background; labels (N,), int64 from 0 to 9.

    Raises:
        DataNotFound: if the files are nowhere and cannot be downloaded; the message says what to do.
        DataCorrupt: if a file does not hold MNIST.

    Source: LeCun, Bottou, Bengio and Haffner (1998), Gradient-based learning applied to document recognition.

    Chapter: Convolutional networks
    """
    return _image_split(_MNIST_FILES)


def fashion_mnist() -> Split:
    """Return Fashion-MNIST: 60,000 training and 10,000 test images of clothes; `FASHION_CLASSES` names the labels.

    Returns:
        Images (N, 28, 28), float32 in [0, 1], 0 the background; labels (N,), int64 from 0 to 9.

    Raises:
        DataNotFound: if the files are nowhere and cannot be downloaded; the message says what to do.
        DataCorrupt: if a file does not hold Fashion-MNIST.

    Source: Xiao, Rasul and Vollgraf (2017), Fashion-MNIST: a novel image dataset, arXiv:1708.07747.

    Chapter: Convolutional architectures
    """
    return _image_split(_FASHION_FILES)


def tiny_shakespeare() -> str:
    """Return 1,115,394 characters from Shakespeare's plays, 65 different ones.

    Raises:
        DataNotFound: if the file is nowhere and cannot be downloaded; the message says what to do.
        DataCorrupt: if the file does not hold this text.

    Source: Karpathy (2015), char-rnn.

    Chapter: Language models
    """
    return _content(_SHAKESPEARE).decode("utf-8")


def _image_split(files: Sequence[_File]) -> Split:
    x_train, labels_train, x_test, labels_test = (_idx(_content(file)) for file in files)
    return Split(
        x_train.astype(np.float32) / 255,
        labels_train.astype(np.int64),
        x_test.astype(np.float32) / 255,
        labels_test.astype(np.int64),
    )


def _idx(content: bytes) -> np.ndarray:
    """Return the array in a file of the idx format: two zero bytes, type, number of axes, sizes, values."""
    axes = content[3]
    shape = np.frombuffer(content, dtype=">i4", count=axes, offset=4)
    return np.frombuffer(content, dtype=np.uint8, offset=4 + 4 * axes).reshape(shape)


def _content(file: _File) -> bytes:
    """Return the checked content of a data file, decompressed."""
    path = _locate(file)
    content = path.read_bytes()
    if path.suffix == ".gz":
        try:
            content = gzip.decompress(content)
        except (OSError, EOFError, zlib.error) as error:
            raise _corrupt(path) from error
    algorithm, expected = file.content.split(":")
    if hashlib.new(algorithm, content, usedforsecurity=False).hexdigest() != expected:
        raise _corrupt(path)
    return content


def _corrupt(path: Path) -> DataCorrupt:
    return DataCorrupt(
        f"{path} is damaged or holds something else: its checksum is wrong. It was left as it is. "
        "Delete it, or put the right file in its place, and try again."
    )


def _locate(file: _File) -> Path:
    """Return the path of a data file: in the reader's folder, in the cache, or just downloaded into the cache."""
    import pooch

    folder = os.environ.get("NEURALNOTES_DATA")
    if folder:
        if not Path(folder).is_dir():
            raise DataNotFound(f"NEURALNOTES_DATA names {folder!r}, which is not a folder. Correct it or unset it.")
        if (Path(folder) / file.path).is_file():
            return Path(folder) / file.path
    cached = Path(pooch.os_cache("neuralnotes")) / file.path
    if cached.is_file():
        return cached

    pooch.get_logger().setLevel("WARNING")  # a notebook's output is no place for a download log
    try:
        found = pooch.retrieve(
            file.url,
            known_hash=file.download,
            fname=cached.name,
            path=cached.parent,
            downloader=pooch.HTTPDownloader(timeout=20),
        )
    except OSError as error:  # no network, no such address, cache not writable
        where = f"not in {folder!r}, the folder NEURALNOTES_DATA names" if folder else "NEURALNOTES_DATA is not set"
        raise DataNotFound(
            f"The data file {file.path} is not here ({where}; not in the cache {str(cached.parent)!r}), and the "
            f"download failed: {error}\n"
            "Two ways out:\n"
            "  1. Connect to the network and try again: it is downloaded once and kept.\n"
            f"  2. Get {file.url} on another machine, save it as FOLDER/{file.path}, and set the environment "
            "variable NEURALNOTES_DATA to FOLDER."
        ) from error
    except ValueError as error:  # pooch has thrown the download away
        raise DataCorrupt(
            f"{file.url} no longer serves the file it should: its checksum is wrong. Get {file.path} elsewhere, save "
            f"it as FOLDER/{file.path}, and set the environment variable NEURALNOTES_DATA to FOLDER."
        ) from error
    return Path(found)
