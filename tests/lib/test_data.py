"""Small sets: shapes, types, ranges, seeds. Large ones: found, missing and damaged files, with no network."""

from __future__ import annotations

import gzip
import hashlib
import os
import re
import shutil
import struct
import subprocess
import sys
from datetime import date
from pathlib import Path

import numpy as np
import pooch
import pytest
import requests
from sklearn.svm import SVC

from neuralnotes import data

# --- images that ship with scikit-learn -------------------------------------------------------------------------------


def test_digits():
    split = data.digits()
    assert split.x_train.shape == (1437, 8, 8) and split.x_test.shape == (360, 8, 8)
    for x, labels in (split[:2], split[2:]):
        assert x.dtype == np.float64 and x.min() == 0.0 and x.max() == 1.0
        assert labels.dtype == np.int64 and len(labels) == len(x)
        shares = np.bincount(labels, minlength=10) / len(labels)
        assert abs(shares - 0.1).max() < 0.005, "every digit keeps its share in both parts"
    again, other = data.digits(), data.digits(seed=1)
    assert all(np.array_equal(a, b) for a, b in zip(split, again, strict=True))
    assert not np.array_equal(split.x_test, other.x_test)


def test_digits_test_images_are_held_out():
    split = data.digits()
    train = {image.tobytes() for image in split.x_train}
    assert not any(image.tobytes() in train for image in split.x_test)


@pytest.mark.parametrize("name", ["china", "flower"])
def test_photograph(name):
    gray, color = data.photograph(name), data.photograph(name, color=True)
    assert gray.shape == (213, 320) and color.shape == (213, 320, 3)
    assert gray.dtype == np.float64 and 0 <= gray.min() < 0.1 and 0.8 < gray.max() <= 1
    np.testing.assert_allclose(gray, 0.299 * color[..., 0] + 0.587 * color[..., 1] + 0.114 * color[..., 2])
    original = data.photograph(name, color=True, shrink=1)
    assert original.shape == (427, 640, 3)
    np.testing.assert_allclose(color[5, 7], original[10:12, 14:16].mean(axis=(0, 1)))


def test_photograph_errors():
    with pytest.raises(ValueError, match="no photograph 'cat'"):
        data.photograph("cat")
    with pytest.raises(ValueError, match="from 1 to 427"):
        data.photograph(shrink=428)


# --- points in the plane ----------------------------------------------------------------------------------------------

TOYS = [data.moons, data.circles, data.spirals, data.blobs, data.xor, data.separable]


@pytest.mark.parametrize("toy", TOYS, ids=lambda toy: toy.__name__)
def test_toys_are_seeded_balanced_and_shuffled(toy):
    x, labels = toy(n=101)
    assert x.shape == (101, 2) and x.dtype == np.float64 and np.isfinite(x).all()
    assert labels.shape == (101,) and labels.dtype == np.int64
    assert np.ptp(np.bincount(labels)) <= 1
    assert len(np.unique(labels[:30])) == len(np.unique(labels)), "not sorted by class"
    again, other = toy(n=101), toy(n=101, seed=1)
    assert np.array_equal(x, again[0]) and np.array_equal(labels, again[1])
    assert not np.array_equal(x, other[0])
    with pytest.raises(ValueError, match="at least one point per class"):
        toy(n=1)


def test_toys_leave_the_global_generator_alone():
    before = np.random.get_state()[1].copy()
    for toy in TOYS:
        toy()
    data.digits(), data.dates(10)
    assert np.array_equal(before, np.random.get_state()[1])


def test_toys_without_noise_are_what_they_are_called():
    x, labels = data.circles(noise=0, ratio=0.3)
    np.testing.assert_allclose(np.linalg.norm(x, axis=1), np.where(labels == 0, 1.0, 0.3))
    x, labels = data.moons(noise=0)
    np.testing.assert_allclose(np.linalg.norm(x[labels == 0], axis=1), 1)
    np.testing.assert_allclose(np.linalg.norm(x[labels == 1] - [1, 0.5], axis=1), 1)
    assert (x[labels == 0, 1] >= 0).all() and (x[labels == 1, 1] <= 0.5).all()
    x, labels = data.xor(noise=0)
    assert np.array_equal(x[:, 0] * x[:, 1] < 0, labels == 1) and set(np.unique(x)) == {-1.0, 1.0}
    assert len(np.unique(x, axis=0)) == 4
    x, labels = data.blobs(noise=0, classes=4)
    np.testing.assert_allclose(np.linalg.norm(x, axis=1), 2)
    assert len(np.unique(x.round(9), axis=0)) == 4
    x, labels = data.spirals(noise=0, classes=2, turns=1)
    radius = np.linalg.norm(x, axis=1)
    turned = np.exp(1j * 2 * np.pi * (radius + labels / 2))
    np.testing.assert_allclose(x[:, 0] + 1j * x[:, 1], radius * turned, atol=1e-12)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("margin", [0.0, 0.05, 0.5, 1.0])
def test_a_line_separates_with_the_margin_asked_for(margin, seed):
    x, labels = data.separable(60, margin, seed)
    assert (np.linalg.norm(x, axis=1) <= 2 + 1e-12).all()
    rng = np.random.default_rng(seed)
    rng.permutation(60)
    angle, offset = rng.uniform(0, 2 * np.pi), rng.uniform(-0.5, 0.5)  # the line it was made with
    distance = (2 * labels - 1) * (x @ [np.cos(angle), np.sin(angle)] - offset)
    np.testing.assert_allclose([distance[labels == 0].min(), distance[labels == 1].min()], margin, atol=1e-12)
    if margin > 0:
        machine = SVC(kernel="linear", C=1e6, tol=1e-8).fit(x, labels)
        assert (machine.predict(x) == labels).all()
        assert 1 / np.linalg.norm(machine.coef_) >= margin * (1 - 1e-4), "half the widest gap there is"
    for wrong in (-0.1, 1.1, np.nan):
        with pytest.raises(ValueError, match="margin"):
            data.separable(margin=wrong)


# --- dates ------------------------------------------------------------------------------------------------------------

MONTHS = [date(2000, month, 1).strftime("%B").lower() for month in range(1, 13)]
ABBREVIATED = {name[:3]: number for number, name in enumerate(MONTHS, start=1)}


def read_date(text):
    """Read a written-out date by rules of its own, not by those that wrote it."""
    dotted = re.fullmatch(r"(\d\d)\.(\d\d)\.(\d\d|\d{4})", text)
    if dotted:
        day, month, year = map(int, dotted.groups())
    else:
        words = re.findall(r"[a-z]+|\d+", text)
        month = next(ABBREVIATED[word[:3]] for word in words if word[:3] in ABBREVIATED)
        day, year = (int(word) for word in words if word.isdigit())
    if year < 100:
        year += 1900 if year >= 70 else 2000
    return date(year, month, day)


def test_every_date_can_be_read_in_one_way_only():
    pairs = data.dates(36525)
    assert len({iso for _, iso in pairs}) == len({text for text, _ in pairs}) == 36525
    for text, iso in pairs:
        assert read_date(text).isoformat() == iso
        weekday = re.match(r"([a-z]+day),", text)
        assert weekday is None or weekday[1] == read_date(text).strftime("%A").lower()
    assert max(len(text) for text, _ in pairs) == data.DATE_LENGTH


def test_dates_mix_all_ways_of_writing():
    shapes = {re.sub(r"[a-z]+", "a", re.sub(r"\d+", lambda m: "9" * len(m[0]), text)) for text, _ in data.dates(2000)}
    # day and month of one or two digits: 6 x 2 shapes with words, 2 with dots
    assert len(shapes) == 14, sorted(shapes)
    endings = {text.split()[1] for text, _ in data.dates(5000) if text.startswith("the ")}
    assert {"1st", "2nd", "3rd", "4th", "11th", "12th", "13th", "21st", "22nd", "23rd", "31st"} <= endings
    assert not endings & {"11st", "12nd", "13rd", "21th"}


def test_dates_are_seeded():
    assert data.dates(50, seed=3) == data.dates(50, seed=3) != data.dates(50, seed=4)
    assert data.dates(0) == []
    for n in (-1, 36526):
        with pytest.raises(ValueError, match="from 0 to 36525"):
            data.dates(n)


def test_vocabulary_round_trip():
    vocabulary = data.date_vocabulary()
    texts, isos = zip(*data.dates(500), strict=True)
    encoded = vocabulary.encode(texts, data.DATE_LENGTH)
    assert encoded.shape == (500, data.DATE_LENGTH) and encoded.dtype == np.int64
    assert encoded.max() < len(vocabulary) == 42
    assert (encoded != vocabulary.start).all()
    assert np.array_equal((encoded != vocabulary.padding).sum(axis=1), [len(text) for text in texts])
    assert vocabulary.decode(encoded) == list(texts)
    assert vocabulary.encode(isos).shape == (500, 10)
    with_start = np.insert(vocabulary.encode(isos), 0, vocabulary.start, axis=1)
    assert vocabulary.decode(with_start) == list(isos)


def test_vocabulary_errors():
    vocabulary = data.Vocabulary("banana")
    assert vocabulary.characters == "abn" and len(vocabulary) == 5
    assert vocabulary.encode([]).shape == (0, 0)
    with pytest.raises(ValueError, match=r"'bat' holds \['t'\]"):
        vocabulary.encode(["bat"])
    with pytest.raises(ValueError, match="6 characters, more than length=5"):
        vocabulary.encode(["banana"], 5)
    with pytest.raises(TypeError, match=r"\[text\]"):
        vocabulary.encode("ban")
    with pytest.raises(ValueError, match="from 0 to 4"):
        vocabulary.decode(np.array([[5]]))
    with pytest.raises(ValueError, match=r"\(N, length\)"):
        vocabulary.decode(np.array([2, 3]))


# --- large sets -------------------------------------------------------------------------------------------------------


@pytest.fixture
def cache(monkeypatch, tmp_path):
    """An empty cache, no data folder, and no network: a download fails as it does without one."""

    def no_network(*args, **kwargs):
        raise requests.exceptions.ConnectionError("no route to host")

    monkeypatch.delenv("NEURALNOTES_DATA", raising=False)
    monkeypatch.setattr(pooch, "os_cache", lambda project: tmp_path / "cache" / project)
    monkeypatch.setattr(pooch, "retrieve", no_network)
    return tmp_path / "cache" / "neuralnotes"


def write_idx(path, array):
    """Write an idx file, and return the checksum of its content."""
    content = struct.pack(f">HBB{array.ndim}i", 0, 8, array.ndim, *array.shape) + array.tobytes()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(content))
    return "sha256:" + hashlib.sha256(content).hexdigest()


@pytest.fixture
def small_mnist(monkeypatch, tmp_path):
    """A folder with the four files of MNIST, a few images each, registered with their checksums."""
    rng = np.random.default_rng(0)
    arrays = [
        rng.integers(0, 256, (5, 28, 28), dtype=np.uint8),
        rng.integers(0, 10, 5, dtype=np.uint8),
        rng.integers(0, 256, (3, 28, 28), dtype=np.uint8),
        rng.integers(0, 10, 3, dtype=np.uint8),
    ]
    folder = tmp_path / "folder"
    sums = [write_idx(folder / file.path, array) for file, array in zip(data._MNIST_FILES, arrays, strict=True)]
    files = tuple(file._replace(content=s) for file, s in zip(data._MNIST_FILES, sums, strict=True))
    monkeypatch.setattr(data, "_MNIST_FILES", files)
    return folder, arrays


def assert_is(split, arrays):
    np.testing.assert_array_equal(split.x_train, arrays[0].astype(np.float32) / 255)
    np.testing.assert_array_equal(split.labels_train, arrays[1])
    np.testing.assert_array_equal(split.x_test, arrays[2].astype(np.float32) / 255)
    np.testing.assert_array_equal(split.labels_test, arrays[3])
    assert [a.dtype for a in split] == [np.float32, np.int64, np.float32, np.int64]


def test_mnist_is_read_from_the_folder(cache, small_mnist, monkeypatch):
    folder, arrays = small_mnist
    monkeypatch.setenv("NEURALNOTES_DATA", str(folder))
    assert_is(data.mnist(), arrays)
    assert not cache.exists()


def test_mnist_is_read_from_the_cache(cache, small_mnist):
    folder, arrays = small_mnist
    shutil.copytree(folder, cache)
    assert_is(data.mnist(), arrays)


def test_a_file_that_the_folder_lacks_is_taken_from_the_cache(cache, small_mnist, monkeypatch):
    folder, arrays = small_mnist
    shutil.copytree(folder, cache)
    (folder / data._MNIST_FILES[1].path).unlink()
    monkeypatch.setenv("NEURALNOTES_DATA", str(folder))
    assert_is(data.mnist(), arrays)


def test_a_missing_file_is_downloaded_with_its_checksum(cache, small_mnist, monkeypatch):
    folder, arrays = small_mnist
    asked = []

    def retrieve(url, known_hash, fname, path, downloader):
        asked.append((url, known_hash))
        Path(path).mkdir(parents=True, exist_ok=True)
        return shutil.copy(folder / "mnist" / fname, Path(path) / fname)

    monkeypatch.setattr(pooch, "retrieve", retrieve)
    assert_is(data.mnist(), arrays)
    assert asked == [(file.url, file.download) for file in data._MNIST_FILES]
    assert_is(data.mnist(), arrays)
    assert len(asked) == 4, "the second call downloads nothing"


@pytest.mark.parametrize("load", [data.mnist, data.fashion_mnist, data.tiny_shakespeare])
@pytest.mark.parametrize("with_folder", [False, True])
def test_a_missing_set_says_both_ways_out(cache, tmp_path, monkeypatch, load, with_folder):
    if with_folder:
        monkeypatch.setenv("NEURALNOTES_DATA", str(tmp_path))
    with pytest.raises(data.DataNotFound) as caught:
        load()
    message = str(caught.value)
    assert isinstance(caught.value, FileNotFoundError)
    assert "Connect to the network" in message and "no route to host" in message
    assert "set the environment variable NEURALNOTES_DATA to FOLDER" in message and "http" in message
    assert (str(tmp_path) in message.split("cache")[0]) == with_folder


def test_a_folder_that_does_not_exist_is_named(cache, tmp_path, monkeypatch):
    monkeypatch.setenv("NEURALNOTES_DATA", str(tmp_path / "nowhere"))
    with pytest.raises(data.DataNotFound, match="nowhere.*not a folder"):
        data.mnist()


def damage_bytes(path):
    content = bytearray(path.read_bytes())
    content[-20] ^= 0xFF
    path.write_bytes(content)


def cut_short(path):
    path.write_bytes(path.read_bytes()[:-30])


def no_gzip(path):
    path.write_bytes(b"<html>Not found</html>")


def other_data(path):
    write_idx(path, np.zeros((5, 28, 28), dtype=np.uint8))


@pytest.mark.parametrize("where", ["folder", "cache"])
@pytest.mark.parametrize("damage", [damage_bytes, cut_short, no_gzip, other_data])
def test_a_damaged_file_is_named_and_left_alone(cache, small_mnist, monkeypatch, where, damage):
    folder, _ = small_mnist
    if where == "folder":
        monkeypatch.setenv("NEURALNOTES_DATA", str(folder))
    else:
        shutil.copytree(folder, cache)
        folder = cache
    path = folder / data._MNIST_FILES[0].path
    damage(path)
    before = path.read_bytes()
    with pytest.raises(data.DataCorrupt, match=re.escape(str(path))):
        data.mnist()
    assert path.read_bytes() == before


def test_a_mirror_that_serves_something_else_is_an_error(cache, tmp_path, monkeypatch):
    class Downloader:  # pooch's own retrieve, with a download that writes the wrong bytes
        def __init__(self, **kwargs):
            pass

        def __call__(self, url, output_file, pooch_object):
            Path(output_file.name if hasattr(output_file, "name") else output_file).write_bytes(b"something else")

    monkeypatch.setattr(pooch, "retrieve", pooch.core.retrieve)
    monkeypatch.setattr(pooch, "HTTPDownloader", Downloader)
    with pytest.raises(data.DataCorrupt, match="no longer serves"):
        data.tiny_shakespeare()
    assert not list(cache.rglob("*.txt"))


def test_tiny_shakespeare_from_a_folder(cache, tmp_path, monkeypatch):
    text = "First Citizen:\nSpeak, speak.\n"
    sums = "sha256:" + hashlib.sha256(text.encode()).hexdigest()
    monkeypatch.setattr(data, "_SHAKESPEARE", data._SHAKESPEARE._replace(content=sums))
    (tmp_path / "text").mkdir()
    (tmp_path / "text" / "tinyshakespeare.txt").write_text(text)
    monkeypatch.setenv("NEURALNOTES_DATA", str(tmp_path))
    assert data.tiny_shakespeare() == text


def test_import_reads_and_fetches_nothing():
    code = "import sys; from neuralnotes import data; assert not {'pooch', 'sklearn', 'torch'} & set(sys.modules)"
    environment = os.environ | {"PYTHONPATH": ":".join(sys.path), "NEURALNOTES_DATA": "/nowhere"}
    result = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr


# --- the real files, where they are -----------------------------------------------------------------------------------


def is_here(*files):
    folders = [os.environ.get("NEURALNOTES_DATA"), pooch.os_cache("neuralnotes")]
    return all(any(folder and (Path(folder) / file.path).is_file() for folder in folders) for file in files)


needs_mnist = pytest.mark.skipif(not is_here(*data._MNIST_FILES), reason="MNIST is not on this machine")
needs_text = pytest.mark.skipif(not is_here(data._SHAKESPEARE), reason="tiny Shakespeare is not on this machine")


@needs_mnist
@pytest.mark.slow
def test_the_real_mnist():
    split = data.mnist()
    assert split.x_train.shape == (60000, 28, 28) and split.x_test.shape == (10000, 28, 28)
    assert np.bincount(split.labels_train).tolist() == [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    assert split.x_train.min() == 0 and split.x_train.max() == 1
    # The mean and the standard deviation that the field normalizes MNIST with.
    assert split.x_train.mean(dtype=np.float64) == pytest.approx(0.1307, abs=5e-5)
    assert split.x_train.std(dtype=np.float64) == pytest.approx(0.3081, abs=5e-5)


@needs_text
def test_the_real_tiny_shakespeare():
    text = data.tiny_shakespeare()
    assert len(text) == 1115394 and len(set(text)) == 65
    assert text.startswith("First Citizen:\n")
