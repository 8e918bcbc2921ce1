"""Attention with weights set by hand: the module against neuralnotes.attention, and the figure in a browser."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from neuralnotes.attention import causal_mask, multi_head_attention, scaled_dot_product_attention
from neuralnotes.figures import Attention
from neuralnotes.figures.attention import HEADS

from .conftest import assert_readable

SENTENCES = [
    "the girl gave the boy a book because she liked him",
    "the keys to the cabinet are old",
    "the small dog chased a big red ball",
    "quarks sing",
]
ATTEND = """([sentence, head, options]) => {
  const X = module.embed(module.words(sentence)), found = module.attend(X, head, options);
  const hidden = found.scores.map((line) => line.map((s) => s === -Infinity));
  return { X, weights: found.weights, Y: found.Y, hidden, ...module.matrices(head) };
}"""


def tensor(x) -> torch.Tensor:
    return torch.tensor(x, dtype=torch.float64)


def test_every_head_against_the_library(show):
    page = show("attention")
    assert tuple(page.evaluate("module.heads")) == HEADS
    for sentence in SENTENCES:
        for causal in (False, True):
            outputs, columns = [], {"W_q": [], "W_k": [], "W_v": []}
            for head in HEADS:
                for temperature in (1, 0.3):
                    found = page.evaluate(ATTEND, [sentence, head, {"causal": causal, "temperature": temperature}])
                    x, q, k, v = (tensor(found[name]) for name in ("X", "W_q", "W_k", "W_v"))
                    assert x.shape == (len(sentence.split()) + 1, 20)
                    assert q.shape == k.shape == v.shape == (20, 4)
                    mask = causal_mask(len(x)) if causal else None
                    y, weights = scaled_dot_product_attention(x @ q / temperature, x @ k, x @ v, mask)
                    np.testing.assert_allclose(found["weights"], weights, rtol=1e-9, atol=1e-12)
                    np.testing.assert_allclose(found["Y"], y, rtol=1e-9, atol=1e-12)
                    np.testing.assert_allclose(np.sum(found["weights"], axis=1), 1, rtol=1e-12)
                    assert found["hidden"] == ((~mask).tolist() if causal else [[False] * len(x)] * len(x))
                    if temperature == 1:
                        outputs.append(tensor(found["Y"]))
                        for name, entries in columns.items():
                            entries.append(tensor(found[name]))
            # The five heads side by side are one multi-head attention with D = 20 and W_o = identity
            together = multi_head_attention(x[None], *(torch.cat(columns[name], 1) for name in columns),
                                            torch.eye(20, dtype=torch.float64), num_heads=5, mask=mask)
            np.testing.assert_allclose(torch.cat(outputs, 1), together[0], rtol=1e-9, atol=1e-12)


def test_heads_find_what_their_names_say(show):
    """The largest weight of a row, in sentences that the figure offers."""
    page = show("attention")
    expected = [
        (SENTENCES[0], "pronoun", "she", "girl"), (SENTENCES[0], "pronoun", "him", "boy"),
        (SENTENCES[0], "subject", "gave", "girl"), (SENTENCES[0], "subject", "liked", "she"),
        (SENTENCES[0], "pronoun", "because", "START"), (SENTENCES[0], "previous", "book", "a"),
        (SENTENCES[1], "subject", "are", "keys"),  # agreement in number wins against the nearer noun
        (SENTENCES[2], "noun", "small", "dog"), (SENTENCES[2], "noun", "big", "ball"),
        (SENTENCES[2], "noun", "red", "ball"), (SENTENCES[2], "subject", "chased", "dog"),
        (SENTENCES[3], "subject", "sing", "quarks"),
    ]
    for sentence, head, asks, answers in expected:
        tokens = ["START", *sentence.split()]
        weights = page.evaluate(ATTEND, [sentence, head, {}])["weights"][tokens.index(asks)]
        assert tokens[int(np.argmax(weights))] == answers, (sentence, head, asks)
        assert max(weights) > 0.7
    uniform = page.evaluate(ATTEND, [SENTENCES[1], "average", {}])["weights"]
    np.testing.assert_allclose(uniform, 1 / 8, rtol=1e-12)


def test_words(show):
    page = show("attention")
    features = page.evaluate("(list) => module.embed(list)", ["girl", "girls", "quark", "quarks", "is"])
    noun, verb, person, plural, female = 0, 1, 7, 8, 9
    girl, girls, quark, quarks, verb_is = features[1:]
    assert [girl[i] for i in (noun, person, plural, female)] == [1, 1, -1, 1]
    assert [girls[i] for i in (noun, person, plural, female)] == [1, 1, 1, 1]
    assert [quark[i] for i in (noun, person, plural, female)] == [1, -1, -1, 0]  # not in the vocabulary: a thing
    assert [quarks[i] for i in (noun, person, plural, female)] == [1, -1, 1, 0]
    assert [verb_is[i] for i in (noun, verb, plural)] == [0, 1, -1]
    assert page.evaluate("module.lookUp('quark').known") is False
    assert page.evaluate("module.lookUp('girls').known") is True
    # position: cosine and sine of 0.4 n and 1.6 n, added in columns of their own
    n = np.arange(6)[:, None]
    expected = np.concatenate([np.cos(0.4 * n), np.sin(0.4 * n), np.cos(1.6 * n), np.sin(1.6 * n)], axis=1)
    np.testing.assert_allclose(np.array(features)[:, 16:], expected, atol=1e-12)


def test_a_reader_at_work(show):
    page = show("attention")
    state = page.evaluate("shown.state()")
    assert (state["head"], state["row"]) == ("pronoun", 9)
    assert "“she” (n = 9) gives 0.96 to girl" in page.inner_text(".nn-happened")

    # Pick a row with the mouse, then with the arrow keys
    page.locator(".nn-token").nth(11).click()
    assert "“him” (n = 11) gives 0.96 to boy" in page.inner_text(".nn-happened")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowUp")
    assert page.evaluate("shown.state().row") == 9

    # Unfold the row: key, score, weight, value, and the weighted sum
    page.get_by_text("The row of “she”, number by number").click()
    girl = page.locator("details tbody tr").nth(2).inner_text().split("\t")
    assert girl == ["girl", "[1, 1, −1, 1]", "18", "9", "0.957", "[1, 1, −1, 1]"]
    assert "q · k(girl) = 8·1 + 3·1 + (−3)·(−1) + 4·1 = 18" in page.inner_text(".nn-worked")
    page.locator("details .nn-word", has_text="boy").focus()
    page.keyboard.press("Enter")
    assert "q · k(boy) = 8·1 + 3·1 + (−3)·(−1) + 4·(−1) = 10" in page.inner_text(".nn-worked")
    assert page.evaluate("document.activeElement.textContent") == "boy"
    page.get_by_text("Where q, k and v come from").click()
    assert "q₁ = 18·pronoun − 10·one = 18·1 − 10·1 = 8" in page.inner_text(".nn-fig")

    # Temperature, mask and head
    temperature = page.get_by_role("slider", name="Temperature")
    temperature.focus()
    page.keyboard.press("End")
    weights = [float(x) for x in page.locator("tbody tr:not(.nn-total) td:nth-last-child(2)").all_inner_texts()]
    assert max(weights) < 0.1  # nearly even over twelve tokens
    page.keyboard.press("Home")
    assert "gives 1.00 to girl" in page.inner_text(".nn-happened")
    page.get_by_role("checkbox", name="Causal mask").check()
    assert "hides 2 of the tokens" in page.inner_text(".nn-happened")
    assert page.locator("details tbody tr").nth(10).inner_text().split("\t")[5] == "−∞"
    page.get_by_role("button", name="average").click()
    assert page.get_by_role("button", name="average").get_attribute("aria-pressed") == "true"
    page.locator(".nn-token").nth(3).click()
    weights = [float(x) for x in page.locator("tbody tr:not(.nn-total) td:nth-last-child(2)").all_inner_texts()]
    assert weights == [0.25] * 4 + [0] * 8
    page.locator(".nn-entry").nth(12 * 5 + 2).click()  # a cell of the matrix: row 5, column 2
    assert [page.evaluate("shown.state()")[key] for key in ("row", "key")] == [5, 2]

    # A sentence of one's own
    field = page.get_by_role("textbox", name="Sentence")
    field.fill("They saw a flumox!")
    assert page.evaluate("shown.state().sentence") == "They saw a flumox!"
    assert "Not in the vocabulary, so a thing: flumox" in page.inner_text(".nn-problem")
    field.fill("word")
    assert "at least two words" in page.inner_text(".nn-problem")
    field.fill("a b c d e f g h i j k l")
    assert "At most 11 words" in page.inner_text(".nn-problem")
    assert page.evaluate("shown.state().sentence") == "They saw a flumox!"  # the last good one stays
    page.get_by_role("combobox", name="Examples").select_option(SENTENCES[1])
    assert page.locator(".nn-token").count() == 8


def test_state_props_and_phone(show):
    props = {"sentence": SENTENCES[1], "head": "subject", "causal": True, "temperature": 0.9, "row": 6}
    page = show("attention", props, width=350, touch=True)
    assert page.evaluate("shown.state()") == {**props, "key": 2}
    assert page.get_by_role("slider", name="Temperature").get_attribute("aria-valuetext") == "0.9"
    page.evaluate("document.querySelectorAll('details').forEach((each) => each.open = true)")
    assert_readable(page)
    page.locator(".nn-token").nth(2).tap()
    assert page.evaluate("shown.state().row") == 2
    assert min(box.bounding_box()["height"] for box in page.locator(".nn-token").all()) >= 24

    saved = {"sentence": "she sees it", "head": "noun", "row": 1, "key": 3, "causal": False, "temperature": 2}
    page.evaluate("(state) => shown.set(state)", saved)
    assert page.evaluate("shown.state()") == saved
    before = page.inner_text("table")
    page.evaluate("shown.set(shown.state())")
    assert page.evaluate("shown.state()") == saved
    assert page.inner_text("table") == before
    for change in ({"sentence": "one"}, {"head": "none"}, {"row": 9}, {"temperature": 0}, {"key": -1}):
        state = {**saved, **change}
        assert page.evaluate("(state) => { try { shown.set(state) } catch { return 'refused' } }", state) == "refused"
    assert page.evaluate("shown.state()") == saved


def test_the_class():
    figure = Attention(sentence="she sees it", head="pronoun", row=3, causal=True, temperature=0.5)
    assert figure.props == {"sentence": "she sees it", "head": "pronoun", "row": 3, "causal": True, "temperature": 0.5}
    figure.state = {"sentence": "They saw a dog."}
    assert figure.tokens == ["START", "they", "saw", "a", "dog"]
    for bad in ({"sentence": "one"}, {"sentence": "a " * 12}, {"sentence": 3}, {"head": "none"}, {"row": 12},
                {"row": 1.0}, {"causal": 1}, {"temperature": 0}, {"temperature": "hot"}):
        with pytest.raises(ValueError, match=next(iter(bad))):
            Attention(**bad)
    with pytest.raises(ValueError, match="row"):
        Attention(sentence="she sees it", row=4)
