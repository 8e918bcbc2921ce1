"""What crosses between judge and kernel: values come back whole, and hostile bytes raise one error only."""

from __future__ import annotations

import collections
import json
import time
import tracemalloc

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from autograder import judge
from neuralnotes import tasks
from neuralnotes.tasks import wire
from neuralnotes.tasks.calling import RAISED, RETURNED, Outcome, call
from neuralnotes.tasks.judging import Judge
from neuralnotes.tasks.records import Case, Close

DTYPES = ["?", "i1", "<i4", "<i8", ">i8", "u1", "<u8", "<f2", "<f4", "<f8", ">f8", "<c16"]
arrays = st.sampled_from(DTYPES).flatmap(lambda dtype: hnp.arrays(dtype, hnp.array_shapes(min_dims=0, max_dims=4,
                                                                                         min_side=0, max_side=4)))
numbers = st.integers() | st.floats() | st.booleans() | st.none()
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=10)


def nested(leaves):
    def more(inner):
        items = st.lists(inner, max_size=3)
        return items | items.map(tuple) | st.dictionaries(texts, inner, max_size=3)

    return st.recursive(leaves, more, max_leaves=6)


values = nested(numbers | texts | arrays)


def same(a, b) -> bool:
    if type(a) is not type(b):
        return False
    if isinstance(a, np.ndarray):
        return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, dict):
        return list(a) == list(b) and all(same(a[key], b[key]) for key in a)
    return repr(a) == repr(b)


@settings(deadline=None, max_examples=200)
@given(values)
def test_round_trip(value):
    assert same(wire.decode(wire.encode(value)), value)


def test_subclasses_of_plain_containers_cross_as_what_they_hold():
    class Liar(dict):
        def items(self):
            return [("a", 2)]

    class Posing:
        __class__ = property(lambda self: tuple)

    pair = collections.namedtuple("Pair", "a b")(1, 2)
    assert same(wire.fresh(pair), (1, 2))
    assert same(wire.fresh(collections.defaultdict(int, a=1)), {"a": 1})
    assert same(wire.fresh(Liar(a=1)), {"a": 1})
    assert wire.fresh(Posing()) == wire.Opaque("Posing")


@settings(deadline=None)
@given(arrays.filter(lambda a: a.ndim == 2), st.sampled_from(["T", "reversed", "every other column", "Fortran"]))
def test_layouts_cross(array, kind):
    views = {"T": array.T, "reversed": array[::-1], "every other column": array[:, ::2]}
    view = views.get(kind, np.asfortranarray(array))
    back = wire.fresh(view)
    np.testing.assert_array_equal(back, view)
    assert back.flags.writeable and not np.shares_memory(back, view)
    assert back.flags.c_contiguous == view.flags.c_contiguous or view.size < 2


@pytest.mark.parametrize(("value", "name"), [
    (object(), "object"), (np.array([None]), "array of dtype object"), (np.ma.masked_array([1.0]), "MaskedArray"),
    (np.matrix([[1.0]]), "matrix"), ({1: 2}, "dict"), (10**5000, "enormous int"), (np.datetime64("2020"), "datetime64"),
    ("x" * 2**21, "string of 2097152 characters"), ([0] * 300_000, "list of more than 50000 items"), (1j, "complex"),
    (np.broadcast_to(np.zeros(()), (10**10,)), "array of 76294 MB"),
    ([[1 / 3] * 40_000] * 4, "value of too many parts"),
], ids=lambda value: value if isinstance(value, str) and len(value) < 50 else "")
def test_what_cannot_cross_is_named(value, name):
    assert wire.fresh(value) == wire.Opaque(name)


@settings(deadline=None, max_examples=300)
@given(st.binary(max_size=200))
def test_any_bytes_decode_or_raise_wire_error(data):
    decode_or_wire_error(data)


def decode_or_wire_error(data: bytes) -> None:
    try:
        wire.decode(data)
    except wire.WireError:
        pass


@settings(deadline=None, max_examples=300)
@given(values, st.lists(st.tuples(st.integers(0, 2**16), st.integers(0, 255)), max_size=6), st.integers(0, 40))
def test_changed_bytes_decode_or_raise_wire_error(value, changes, cut):
    data = bytearray(wire.encode(value))
    for position, byte in changes:
        data[position % len(data)] = byte
    decode_or_wire_error(bytes(data[: len(data) - cut]))


def message(tree, *blobs: bytes, lengths=None) -> bytes:
    header = json.dumps({"tree": tree, "blobs": lengths or [len(blob) for blob in blobs]}).encode()
    return len(header).to_bytes(8, "big") + header + b"".join(blobs)


json_leaves = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
json_values = st.recursive(json_leaves, lambda inner: st.lists(inner, max_size=4), max_leaves=8)
kinds = st.sampled_from(["opaque", "scalar", "array", "tuple", "list", "dict"])


@settings(deadline=None, max_examples=500, suppress_health_check=list(HealthCheck))
@given(json_values | kinds.flatmap(lambda kind: st.lists(json_values, max_size=4).map(lambda rest: [kind, *rest])))
@example(["array", "O", [1], "C", 0])
@example(["array", "<f8,<f8", [1], "C", 0])
@example(["array", "(2,)f8", [1], "C", 0])
@example(["array", "f8(", [1], "C", 0])
@example(["array", "<f8", [-1], "C", 0])
@example(["array", "<f8", [2**62, 0], "strided", 0])
@example(["array", "<f8", {}, "C", 0])
@example(["array", "<f8", [1] * 100, "C", 0])
@example(10**4000)
@example({"a": 1})
@example(["dict", [["a"]]])
@example(["dict", [[["a"], 1]]])
@example(["tuple", "ab"])
@example(["scalar", ["<f8"], 0])
def test_any_tree_decodes_or_raises_wire_error(tree):
    decode_or_wire_error(message(tree, b"\0" * 8))
    decode_or_wire_error(message(["tuple", [tree, tree]], b"\0" * 8, b""))


@pytest.mark.parametrize("data", [
    b"", b"\0" * 8, message(None)[:-1], message(None) + b"x", message(None, lengths=[-1]),
    message(None, lengths=[1.5]), message(None, lengths=[2**70]), message(["none"]), message([]), message({}),
    message(["new"]), message(10**1300),
    (2**40).to_bytes(8, "big") + b"{}", b"\0" * 7 + b"\2" + b"[]",
    message(["list", [["array", "<f8", [1], "C", 0]] * 2], b"\0" * 8),  # one blob, twice
])
def test_malformed_messages(data):
    with pytest.raises(wire.WireError):
        wire.decode(data)


@pytest.mark.slow
@pytest.mark.parametrize("part", [b"[]", b"0", b'["tuple",[]]'])
def test_the_largest_header_takes_bounded_time_and_memory(part):
    """The JSON of a hostile header grows when it is parsed: its size is limited so that this stays harmless."""
    count = (wire.MAX_HEADER - 100) // (len(part) + 1)
    header = b'{"blobs":[],"tree":["list",[' + b",".join([part] * count) + b"]]}"
    data = len(header).to_bytes(8, "big") + header
    assert wire.MAX_HEADER * 0.9 < len(header) <= wire.MAX_HEADER
    tracemalloc.start()
    start = time.process_time()
    try:
        decode_or_wire_error(data)
        assert tracemalloc.get_traced_memory()[1] < 200 * 2**20
    finally:
        tracemalloc.stop()
    assert time.process_time() - start < 20  # a tenth of it without tracemalloc
    assert_too_large = len(header) + wire.MAX_HEADER
    with pytest.raises(wire.WireError, match="too large"):
        wire.decode(assert_too_large.to_bytes(8, "big") + header)


def test_deep_nesting_decodes_or_raises_wire_error():
    for opening, closing in ((b"[", b"]"), (b'{"a":', b"}"), (b'["list",[', b"]]")):
        for depth in (10, 100, 100_000):
            header = b'{"blobs":[],"tree":' + opening * depth + b"0" + closing * depth + b"}"
            decode_or_wire_error(len(header).to_bytes(8, "big") + header)


@settings(deadline=None, max_examples=300)
@given(st.dictionaries(st.sampled_from(["status", "error_types", "message", "written", "operators"]),
                       values | st.sampled_from([RETURNED, RAISED, "forbidden", "missing", "memory"]), max_size=5),
       values.map(wire.encode) | st.binary(max_size=20))
def test_any_reply_is_an_outcome_or_a_lost_kernel(reply, value):
    try:
        outcome = judge._outcome(reply, value, 0.5)
    except judge.KernelLost:
        return
    assert outcome.status in (RETURNED, RAISED, "forbidden", "missing", "memory") and outcome.seconds == 0.5
    assert all(type(name) is str for name in (*outcome.error_types, *outcome.operators, outcome.message))
    assert all(type(which) in (int, str) for which in outcome.written)


def test_decoded_text_can_be_written():
    for tree in ("\ud800", ["dict", [["\ud800", None]]], ["opaque", "\ud800"]):
        assert repr(wire.decode(message(tree))).encode()


# ---------------------------------------------------------------------------------------- judging whatever came across

odd = nested(numbers | texts | arrays | st.just(wire.Opaque("")) | st.just(2**4000) | st.just(np.float64("nan")))


@pytest.mark.slow  # it runs every misconception of every task
@pytest.mark.parametrize("task", [task for slug in tasks.ASSIGNMENTS for task in tasks.assignment(slug)],
                         ids=lambda task: task.id)
def test_any_value_is_judged(task):
    one = Judge(task, hidden=False)
    expected = [prepared.expected for prepared in one.cases]

    @settings(deadline=None, max_examples=40, suppress_health_check=list(HealthCheck), database=None)
    @given(odd | st.sampled_from(expected) | st.lists(odd, min_size=2, max_size=4).map(tuple))
    def check(value):
        value = wire.fresh(value)
        result = one.judge(lambda prepared: Outcome(RETURNED, value, written=(0, "x", 99, -5)))
        assert result.score <= task.points / 2 and result.verdict != "pass"  # half, for the oracle's own answers
        assert len(result.diagnosis) < 2000 and result.diagnosis.encode()

    check()


@pytest.mark.parametrize("kind", [np.float64, np.float32])
@pytest.mark.parametrize(("expected", "got", "right"), [
    ([np.inf, 1], [np.inf, 1], True), ([np.inf, 1], [5, 1], False), ([-np.inf, 1], [np.inf, 1], False),
    ([np.inf, 1], [np.inf, 2], False), ([np.nan, 1], [np.nan, 1], True), ([np.nan, 1], [0, 1], False),
    ([1, 1], [np.nan, 1], False), ([1, 1], [np.inf, 1], False), ([np.inf, 1], [np.nan, 1], False),
    ([1, 2], [1 + 1e-9, 2], True), ([1, 2], [1.1, 2], False), ([], [], True),
])
def test_close_to_infinity(kind, expected, got, right):
    case = Case("x", (np.ones(1, kind),))
    problem = Close()(case, np.array(expected, float), np.array(got, kind))
    assert (problem is None) == right, problem


@pytest.mark.parametrize("error", [ValueError("x" * 10**6), MemoryError("x"), SystemExit(3), StopIteration()])
def test_a_call_that_raises_is_an_outcome(error):
    def function():
        raise error

    outcome = call(function, wire.encode(((), {})))
    assert outcome.status == ("memory" if isinstance(error, MemoryError) else RAISED)
    assert outcome.error_types[0] == type(error).__name__ and len(outcome.message) <= 500


def test_a_call_notices_what_was_written():
    def function(a, b, c, d=None):
        a[0] = 1.0
        b.append(1)
        d["k"] = 2

    arguments = (np.zeros(3)[::2], [1], np.ones(2))
    assert call(function, wire.encode((arguments, {"d": {"k": 1}}))).written == (0, 1, "d")
