"""The directive `{figure-live}`: what it writes, what it refuses with file and line, and the still pictures."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from figure_live import check_props
from test_build import ROOT, book, build, html, write_pages  # noqa: F401

from neuralnotes.figures import FIGURES

sys.path.insert(0, str(ROOT / "book" / "_stills"))
import update as stills  # noqa: E402

DIRECTIVE = """# Title

See {numref}`fig-live-demo`.

```{figure-live} %s
:label: fig-live-demo
:props: %s
:alt: Points and a "line".
Drag a point. The line $w \\cdot x = 0$ follows.
```
"""


def page(name: str = "perceptron", props: str = "{}") -> str:
    return DIRECTIVE % (name, props)


@pytest.fixture
def with_stills(book: Path) -> Path:  # noqa: F811
    folder = book / "book" / "_stills"
    folder.mkdir()
    some = next((ROOT / "book" / "_stills").glob("*-narrow.webp"))
    for name in ("fig-live-demo.webp", "fig-live-demo-narrow.webp"):
        (folder / name).write_bytes(some.read_bytes())
    return book


@pytest.mark.slow
def test_a_page_with_a_figure(with_stills):
    write_pages(with_stills, intro=page(), second="# Second\n\nNo figure here.\n")
    result = build(with_stills)
    assert result.returncode == 0, result.stdout
    text = html(with_stills)
    assert 'id="fig-live-demo"' in text and 'data-module="perceptron"' in text
    assert 'alt="Points and a &quot;line&quot;."' in text and "fig-live-demo-narrow" in text
    assert ">Fig. 1<" in text.replace("\u00a0", " ")
    assert "figures/load.js" in text and "figures/figures.css" in text
    other = html(with_stills, "second")
    assert "figures/load.js" not in other and "figures/figures.css" not in other
    served = with_stills.parent / "_build" / "html" / "_static" / "figures"
    assert (served / "perceptron.js").is_file() and not list(served.glob("*.py"))


BAD = {
    "no such figure": (page("perceptrons"), 5, "there is no live figure 'perceptrons'"),
    "unknown prop": (page(props='{"sead": 3}'), 5, "unexpected keyword argument 'sead'"),
    "not JSON": (page(props="{seed: 3}"), 5, "props are not JSON"),
    "no alt": (page().replace(":alt: Points and a \"line\".\n", ""), 5, "needs :alt:"),
    "no label": (page().replace(":label: fig-live-demo\n", ""), 5, "needs :label:"),
    "no caption": (page().replace("Drag a point. The line $w \\cdot x = 0$ follows.\n", ""), 5, "needs a caption"),
    "no still picture": (page().replace("fig-live-demo", "fig-live-other"), 5,
                         "fig-live-other.webp is missing: run `make stills`"),
    "label twice": (page() + page().replace("# Title", "## Again"), 15, "fig-live-demo stands on this page already"),
}


@pytest.mark.slow
def test_bad_input_fails_the_build_with_file_and_line(with_stills):
    """One build for all: each page has one fault, and each fault has its line in what is said."""
    names = {name: f"bad{i}" for i, name in enumerate(BAD)}
    write_pages(with_stills, intro="# Start\n", **{names[name]: BAD[name][0] for name in BAD})
    result = build(with_stills)
    assert result.returncode != 0
    for name, (_, line, words) in BAD.items():
        said = [text for text in result.stdout.splitlines() if f"{names[name]}.md:{line}" in text]
        assert any(words in text for text in said), (name, line, words, result.stdout)


@pytest.mark.parametrize("text", ["[]", '{"a": 1}', "{", "1"])
@pytest.mark.parametrize("name", ["perceptron", "none"])
def test_props_are_checked(name, text):
    with pytest.raises(ValueError):
        check_props(name, text)


def test_every_placed_figure_takes_its_props_and_has_its_own_label():
    placed = list(stills.placed_figures())
    assert len({figure.label for figure in placed}) == len(placed)
    for figure in placed:
        assert check_props(figure.name, json.dumps(figure.props)) == figure.props
    assert {figure.name for figure in placed} == set(FIGURES), "a figure that no page shows"


def test_the_still_pictures_are_of_the_figures_as_they_are():
    kept = json.loads((ROOT / "book" / "_stills" / "fingerprints.json").read_text(encoding="utf-8"))
    now = {figure.label: stills.fingerprint(figure) for figure in stills.placed_figures()}
    assert kept == now, "run `make stills`"
    files = {path.name for path in (ROOT / "book" / "_stills").glob("*.webp")}
    assert files == {f"{label}{suffix}.webp" for label in now for suffix in stills.WIDTHS}


def test_an_example_in_a_guide_is_not_a_placed_figure(tmp_path):
    (tmp_path / "guide.md").write_text("````md\n```{figure-live} x\n:label: fig-live-x\n```\n````\n", encoding="utf-8")
    text = '```{figure-live} y\n:label: fig-live-y\n:props: {"a":\n  1}\n:alt: z\nText\n```\n'
    (tmp_path / "page.md").write_text(text, encoding="utf-8")
    assert list(stills.placed_figures(tmp_path)) == [("fig-live-y", "y", {"a": 1})]
