"""The assignment ``attention``: its oracles against a second method, the worked examples, and the reader of dates."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest
import torch

from autograder import assignments
from neuralnotes import attention, data, date_reader
from neuralnotes.tasks import attention as records
from neuralnotes.tasks.judging import Judge


def tensors(arrays):
    return tuple(torch.from_numpy(np.array(a)) if isinstance(a, np.ndarray) else a for a in arrays)


def by_keyword(case):
    return case.keywords.values()  # a mask, or nothing


def same(a, b, **tolerance):
    np.testing.assert_allclose(np.asarray(a), np.asarray(b), **({"rtol": 1e-9, "atol": 1e-12} | tolerance))


def float64_cases(task):
    """The cases whose arguments are float64 and for which there is an answer, with the answer."""
    for prepared in Judge(task).cases:
        arguments = (*prepared.case.arguments, *prepared.case.keywords.values())
        single = any(isinstance(a, np.ndarray) and a.dtype == np.float32 for a in arguments)
        if not single and not prepared.raises:
            yield prepared.case, prepared.expected


# --- the oracles against the library, which is another implementation -------------------------------------------------


def test_attention_oracle_agrees_with_the_library():
    for case, (out, weights) in float64_cases(records.ATTENTION):
        theirs = attention.scaled_dot_product_attention(*tensors((*case.arguments, *by_keyword(case))))
        same(theirs[0], out)
        same(theirs[1], weights)


def test_backward_oracle_agrees_with_the_backward_pass_by_hand():
    for case, gradients in float64_cases(records.BACKWARD):
        theirs = attention.attention_backward(*tensors((*case.arguments, *by_keyword(case))))
        for mine, other in zip(gradients, theirs, strict=True):
            same(other, mine)


def test_multi_head_oracle_agrees_with_torch():
    rng = np.random.default_rng(0)
    x, *weights, heads = records._multi_head(rng, 2, 5, 12, 3)
    mask = records._mask(rng, 5, 5)
    module = torch.nn.MultiheadAttention(12, heads, bias=False, batch_first=True, dtype=torch.float64)
    w_q, w_k, w_v, w_o = tensors(weights)
    with torch.no_grad():
        module.in_proj_weight.copy_(torch.cat([w_q.T, w_k.T, w_v.T]))
        module.out_proj.weight.copy_(w_o.T)
        tokens = torch.from_numpy(x)
        theirs, _ = module(tokens, tokens, tokens, attn_mask=torch.from_numpy(~mask))  # torch's True = blocked
    same(theirs, records.multi_head_oracle(x, *weights, heads, mask))


def test_additive_and_encoding_oracles_agree_with_the_library():
    for case, (out, weights) in float64_cases(records.ADDITIVE):
        theirs = attention.additive_attention(*tensors(case.arguments))
        same(theirs[0], out)
        same(theirs[1], weights)
    for case, encoding in float64_cases(records.ENCODING):
        like = torch.zeros(1, dtype=torch.float64)
        same(attention.positional_encoding(*case.arguments, **case.keywords, like=like), encoding)


# --- numbers that can be worked out by hand ---------------------------------------------------------------------------


def test_the_worked_examples():
    e = math.e
    q, k, v = records._example_qkv()
    out, weights = records.attention_oracle(q, k, v)
    first = e / (1 + e)
    same(weights, [[first, 1 - first]])
    same(out, [[10 * first, 10 - 10 * first]])

    slope = 10 * first * (1 - first)  # of the first score; the other one's is the negative
    dq, dk, dv = records.backward_oracle(np.array([[1.0, 0.0]]), q, k, v)
    same(dq, [[slope, -slope, 0, 0]])
    same(dk, np.outer([slope / 2, -slope / 2], q))
    same(dv, [[first, 0], [1 - first, 0]])

    eye = np.eye(2)
    same(records.multi_head_oracle(eye[None], eye, eye, eye, eye, 2), [[[first, 0.5], [0.5, first]]])

    (example,) = (c for c in records.additive_visible(np.random.default_rng(0)) if c.name == "the example")
    out, weights = records.additive_oracle(*example.arguments)
    share = 1 / (1 + math.exp(-2 * math.tanh(2)))
    same(weights, [[share, 1 - share]])
    same(out, [[4 * share + 8 * (1 - share)]])

    same(records.encoding_oracle(2, 2), [[0, 1], [math.sin(1), math.cos(1)]])
    same(records.softmax_oracle(np.log([1.0, 2.0, 5.0])), [1 / 8, 2 / 8, 5 / 8])


def test_the_numbers_that_the_notebook_prints_for_its_examples():
    cells = assignments.read_source("attention").cells
    text = " ".join(cell.source for cell in cells if cell.cell_type == "markdown")
    q, k, v = records._example_qkv()
    gradients = records.backward_oracle(np.array([[1.0, 0.0]]), q, k, v)
    (additive,) = (c for c in records.additive_visible(np.random.default_rng(0)) if c.name == "the example")
    printed = {
        "softmax": (records.softmax_oracle(np.array([1.0, 2.0, 3.0])), 4),
        "attention weights": (records.attention_oracle(q, k, v)[1], 4),
        "attention output": (records.attention_oracle(q, k, v)[0], 3),
        "dq": (gradients[0][gradients[0] != 0], 3),
        "dk": (gradients[1][gradients[1] != 0], 3),
        "additive weights": (records.additive_oracle(*additive.arguments)[1], 4),
        "additive output": (records.additive_oracle(*additive.arguments)[0], 3),
        "encoding, row 2": (records.encoding_oracle(3, 4)[2], 4),
    }
    for name, (values, digits) in printed.items():
        for value in np.ravel(values):
            number = f"{value:.{digits}f}"
            assert re.search(rf"(?<![\d.]){re.escape(number)}(?!\d)", text), f"{name}: {number}"
    vocabulary = data.date_vocabulary()
    assert str(vocabulary.encode(["14.03.98"])[0].tolist()) in text
    assert str(vocabulary.encode(["1998-03-14"])[0].tolist()) in text
    total = sum(array.size for array in date_reader.parameters().values())
    assert f"{total:,} numbers" in text


def test_a_blocked_key_changes_nothing():
    rng = np.random.default_rng(1)
    q, k, v = records._qkv(rng, 3, 4, 5, 2)
    mask = np.ones((3, 4), dtype=bool)
    mask[:, 2] = False
    moved_k, moved_v = k.copy(), v.copy()
    moved_k[2] += 7.0
    moved_v[2] -= 3.0
    same(records.attention_oracle(q, k, v, mask)[0], records.attention_oracle(q, moved_k, moved_v, mask)[0])


# --- the reader of dates ----------------------------------------------------------------------------------------------


def test_the_rules_read_every_way_of_writing():
    for seed in range(3):
        for text, iso in data.dates(500, seed):
            assert records.iso_date(text) == iso
    with pytest.raises(ValueError, match="no date"):
        records.iso_date("the day after tomorrow")


def test_the_fixed_texts_cover_every_way_of_writing_and_are_read_right():
    shapes = {re.sub(r"\d+", "1", re.sub(r"[a-z]{2,}", "a", text)) for text, _ in data.dates(2000, seed=0)}
    mine = {re.sub(r"\d+", "1", re.sub(r"[a-z]{2,}", "a", text)) for text in records._EIGHT_WAYS}
    assert mine == shapes
    assert len(records._EIGHT_WAYS) == 8
    assert readings(records._EIGHT_WAYS) == [records.iso_date(text) for text in records._EIGHT_WAYS]


def readings(texts, length=None):
    vocabulary = data.date_vocabulary()
    parameters = {name: torch.from_numpy(array) for name, array in date_reader.parameters().items()}
    logits, _ = date_reader.read(torch.from_numpy(vocabulary.encode(list(texts), length)), parameters)
    return vocabulary.decode(logits.argmax(dim=-1).numpy())


def test_the_shipped_model_reads_dates_that_it_has_never_seen():
    texts, dates = zip(*date_reader.held_out_dates(), strict=True)
    assert not {iso for _, iso in date_reader.training_dates()} & set(dates)
    right = np.mean([read == date for read, date in zip(readings(texts), dates, strict=True)])
    # far above the 95 % that are asked for: 40 random dates must not fail by bad luck
    assert right > 0.998


def test_the_solution_reads_what_the_library_reads():
    texts, _ = zip(*date_reader.held_out_dates()[:300], strict=True)
    vocabulary = data.date_vocabulary()
    read_dates = assignments.solution_functions("attention")["read_dates"]
    dates, alignment = read_dates(vocabulary.encode(texts), date_reader.parameters())
    assert vocabulary.decode(dates) == readings(texts)
    real = vocabulary.encode(texts)[:, None, :] != vocabulary.padding
    same(alignment.sum(axis=-1), 1.0)
    assert not np.any(np.where(real, 0.0, alignment))


def test_the_model_ships_small_and_in_double_precision():
    parameters = date_reader.parameters()
    assert {array.dtype for array in parameters.values()} == {np.dtype(np.float64)}
    assert date_reader._FILE.stat().st_size < 150_000
    assert parameters["embedding"].shape[0] == len(data.date_vocabulary())


READ = Judge(records.READ)


def judged_reading(change):
    solution = assignments.solution_functions("attention")["read_dates"]
    result = READ.judge(READ.run_here(lambda characters, parameters: change(*solution(characters, parameters))))
    return result.score, next((case.summary for case in result.cases if not case.ok), "")


@pytest.mark.parametrize(
    ("change", "word"),
    [
        (lambda dates, alignment: dates, "tuple"),
        (lambda dates, alignment: (dates.astype(float), alignment), "integers"),
        (lambda dates, alignment: (data.date_vocabulary().decode(dates), alignment), "integers"),
        (lambda dates, alignment: (dates[:, :9], alignment), "shape"),
        (lambda dates, alignment: (np.roll(dates, 1, axis=1), alignment), "the alignment is right"),
        (lambda dates, alignment: (dates, np.swapaxes(alignment, 1, 2)), "alignment has the wrong shape"),
        (lambda dates, alignment: (dates, alignment[:, ::-1]), "alignment has wrong values"),
        (lambda dates, alignment: (dates, np.full_like(alignment, 1 / alignment.shape[2])), "add up to 1 over"),
        (lambda dates, alignment: (dates, 2 * alignment), "add up to 1 over"),
    ],
)
def test_a_wrong_reading_scores_zero_and_is_explained(change, word):
    score, summary = judged_reading(change)
    assert score == 0
    assert word in summary


def test_one_misread_date_in_forty_is_forgiven():
    def misread(dates, alignment):
        dates = dates.copy()
        if len(dates) > 20:
            dates[0, 9] = dates[0, 4]
        return dates, alignment

    assert judged_reading(misread) == (records.READ.points, "")
