"""The directive `{quiz}`: what it writes, and that a question which is not whole fails the build with file and line."""

from __future__ import annotations

import io
import re
from pathlib import Path

import pytest
import test_build
from bs4 import BeautifulSoup
from quiz import parse
from sphinx.application import Sphinx
from sphinx.errors import ExtensionError
from sphinx.util.docutils import docutils_namespace, patch_docutils

ROOT = test_build.ROOT
book = test_build.book

SINGLE = """\
What is $2 + 2$?

- [ ] $3$
  No. One more.
- [x] $4$
  Right. See {ref}`the number <quiz-number>`.

  $$ 2 + 2 = 4 $$
- [ ] *five*
  One less.

hint: Use your **fingers**.
hint: Use your hand,
  all of it.
"""
SEVERAL = """\
Which are even?

- [x] 2
  Right. Twice one.
- [x] 4
  Twice two.
- [ ] 5
  No. One is left.
"""
NUMBER = """\
What is the slope of $x^2$ at $-1/4$?

- [=] -0.5 +- 0.01
  Right. $2x$.
- [!] 0.5 +- 0.01
  The sign is missing.
- [?]
  Differentiate first.
"""
BAD = {  # name: content, line of the content (from 0), what is said
    "no right choice": (SINGLE.replace("[x]", "[ ]"), 2, "no choice is right"),
    "no feedback": (SINGLE.replace("  One less.\n", ""), 8, "[ ] *five* has no feedback"),
    "no feedback in front of a choice": (SINGLE.replace("  No. One more.\n", ""), 2, "[ ] $3$ has no feedback"),
    "one choice": ("Why?\n\n- [x] So.\n  Right.\n", 2, "two choices or more"),
    "no choices": ("Why?\n", 0, "no choices"),
    "mixed": (SINGLE + "\n- [=] 4 +- 0.1\n  Right.\n", 15, "choices and numbers are mixed"),
    "no reply to other numbers": (NUMBER.replace("- [?]\n  Differentiate first.\n", ""), 4, "exactly one `- [?]`"),
    "two replies to other numbers": (NUMBER + "- [?]\n  Again.\n", 8, "exactly one `- [?]`"),
    "no right number": (NUMBER.replace("[=]", "[!]"), 2, "no number is right"),
    "no tolerance": (NUMBER.replace("0.5 +- 0.01\n  The", "0.5\n  The"), 4, "no tolerance"),
    "negative tolerance": (NUMBER.replace("-0.5 +- 0.01", "-0.5 +- -0.01"), 2, "tolerance is negative"),
    "not a number": (NUMBER.replace("-0.5 +- 0.01", "half +- 0.01"), 2, "two decimal numbers"),
    "not finite": (NUMBER.replace("-0.5 +- 0.01", "inf +- 0.01"), 2, "is not finite"),
    "overlap": (NUMBER.replace("0.5 +- 0.01\n  The", "-0.48 +- 0.02\n  The"), 4, "one reply"),
    "two right numbers overlap": (NUMBER.replace("[!] 0.5", "[=] -0.505"), 4, "one reply"),
    "text behind [?]": (NUMBER.replace("[?]", "[?] 3"), 6, "nothing stands behind [?]"),
    "unknown marker": (SINGLE.replace("[x]", "[X]"), 4, "unknown marker [X]"),
    "empty marker": (SINGLE.replace("[x]", "[]"), 4, "unknown marker []"),
    "empty question": (SINGLE.partition("\n\n")[2], 0, "the question is empty"),
    "empty choice": (SINGLE.replace("$3$", ""), 2, "the choice is empty"),
    "choice twice": (SINGLE.replace("*five*", "$3$"), 8, "stands twice"),
    "empty hint": (SINGLE.replace(" Use your **fingers**.", ""), 11, "the hint is empty"),
    "feedback not indented": (SINGLE.replace("  One less.", "  One less.\nReally."), 10, "belongs to nothing"),
}


def quiz(label: str, content: str) -> str:
    return f"```{{quiz}} {label}\n{content}```\n"


def build(folder: Path, **pages: str) -> str:
    """Build a site of these pages in `folder`, again where it is there already; return the warnings."""
    source = folder / "source"
    source.mkdir(exist_ok=True)
    for old in source.glob("*.md"):
        if old.stem not in pages:
            old.unlink()
    for name, text in pages.items():
        path = source / f"{name}.md"
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
    settings = {
        "extensions": ["myst_parser", "sphinx.ext.mathjax", "quiz"],
        "source_suffix": {".md": "markdown"},  # named, because Sphinx keeps what other builds in this process set
        "root_doc": "index", "language": "en",
        "myst_enable_extensions": ["dollarmath"], "mathjax_path": "mathjax/tex-chtml.js", "html_theme": "basic",
        "mathjax_options": {"defer": "defer"}, "html_static_path": [str(ROOT / "book" / "_assets")],
        "html_favicon": str(ROOT / "book" / "_static" / "favicon.svg"),
    }
    warnings = io.StringIO()
    with patch_docutils(), docutils_namespace():
        Sphinx(source, None, folder / "html", folder / "doctrees", "html", settings, None, warnings).build()
    return re.sub(r"\x1b\[[0-9;]*m", "", warnings.getvalue())


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("quiz")
    index = "# Start\n\n{ref}`quiz-number` and {ref}`quiz-sum`.\n\n```{toctree}\nquestions\n```\n"
    questions = "# Questions\n\n" + quiz("quiz-sum", SINGLE) + quiz("quiz-even", SEVERAL) + quiz("quiz-number", NUMBER)
    warnings = build(folder, index=index, questions=questions)
    assert warnings == ""
    return {path.stem: BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser")
            for path in (folder / "html").glob("*.html")}


def test_a_question_is_taken_apart():
    question = parse(SINGLE.splitlines())
    assert question.problems == [] and question.kind == "single"
    assert [answer.text for answer in question.answers] == ["$3$", "$4$", "*five*"]
    assert [answer.verdict for answer in question.answers] == ["wrong", "right", "wrong"]
    assert [answer.first for answer in question.answers] == [3, 5, 9]
    assert question.hints == [(11, "Use your **fingers**."), (12, "Use your hand, all of it.")]
    assert parse(SEVERAL.splitlines()).kind == "multiple"
    number = parse(NUMBER.splitlines())
    assert number.kind == "numeric" and number.answers[0].value == -0.5 and number.answers[1].tolerance == 0.01


def test_lists_and_code_in_a_question_are_no_choices():
    prompt = "Look:\n\n- one\n- [two](https://example.org)\n\n```text\n- [x] not a choice\nhint: none\n```\n"
    question = parse((prompt + "- [x] A\n  B\n- [ ] C\n  D\n").splitlines())
    assert question.problems == [] and len(question.answers) == 2 and not question.hints
    assert question.prompt == prompt.splitlines()


@pytest.mark.parametrize("name", BAD)
def test_a_fault_is_found_where_it_is(name):
    content, line, message = BAD[name]
    assert any(where == line and message in text for where, text in parse(content.splitlines()).problems)


def test_the_page_holds_every_answer_folded(site):
    first, second, third = site["questions"].select(".nn-quiz")
    assert [q["data-kind"] for q in (first, second, third)] == ["single", "multiple", "numeric"]
    assert [q.select_one(".nn-quiz-title span").text for q in (first, second, third)] == [
        "Question 1", "Question 2", "Question 3"]
    answers = first.select("details.nn-quiz-answer")
    assert [a.summary.text.strip() for a in answers] == [r"\(3\)", r"\(4\)", "five"]
    assert answers[2].summary.em and answers[2].summary.find("p") is None
    assert [a["data-verdict"] for a in answers] == ["wrong", "right", "wrong"]
    # the sign and the word, and the author's own "No." is not repeated
    assert answers[0].select_one(".nn-quiz-feedback").get_text(" ", strip=True) == "✕ Not yet One more."
    assert answers[1].select_one(".nn-quiz-feedback").get_text(" ", strip=True).startswith("✓ Right See the number")
    assert answers[1].select_one("div.math")
    hints = first.select("details.nn-quiz-hint")
    assert [hint.summary.text.strip() for hint in hints] == ["Hint 1", "Hint 2"] and hints[0].strong
    assert "Choose all that apply." in second.text


def test_numbers_stand_in_their_order(site):
    third = site["questions"].select(".nn-quiz")[2]
    answers = third.select("details.nn-quiz-answer")
    assert [a.summary.text.strip() for a in answers] == ["−0.5", "0.5", "Another number"]
    assert [(a.get("data-value"), a.get("data-tolerance")) for a in answers] == [
        ("-0.5", "0.01"), ("0.5", "0.01"), (None, None)]


def test_a_reference_shows_the_number_and_leads_to_the_question(site):
    links = {link["href"]: link.text for link in site["index"].select("a.reference.internal")}
    assert links["questions.html#quiz-sum"] == "Question 1" and links["questions.html#quiz-number"] == "Question 3"
    assert site["questions"].select_one("#quiz-sum .headerlink")["href"] == "#quiz-sum"


def test_script_and_style_are_loaded_only_where_a_question_is(site):
    def loaded(page):
        return [tag.get("src") or tag.get("href") for tag in site[page].select("script[src], link[href]")]

    assert sum("quiz.js" in address for address in loaded("questions")) == 1
    assert sum("quiz.css" in address for address in loaded("questions")) == 1
    assert not any("quiz." in address for address in loaded("index"))
    assert site["questions"].select_one("script[src*='quiz.js']")["type"] == "module"


def test_bad_questions_fail_the_build_with_file_and_line_again_and_again(tmp_path):
    pages = {f"bad{i}": "# Title\n\n" + quiz(f"quiz-bad-{i}", fault[0]) for i, fault in enumerate(BAD.values())}
    pages["label"] = "# Title\n\n" + quiz("sum", SINGLE)
    pages["markup"] = "# Title\n\n" + quiz("quiz-markup", SINGLE.replace("One less.", "See {ref}`nowhere`."))
    names = "\n".join(pages)
    pages["index"] = f"# Start\n\n```{{toctree}}\n{names}\n```\n"
    warnings = build(tmp_path, **pages)
    faults = {f"bad{i}": fault for i, fault in enumerate(BAD.values())}
    for page, (_, line, message) in faults.items():
        # the question starts in line 3, its content in line 4
        found = [text for text in warnings.splitlines() if f"{page}.md:{line + 4}: ERROR: quiz-" in text]
        assert any(message in text for text in found), (page, message, warnings)
    assert "label.md:3: ERROR: the label 'sum' must be quiz-" in warnings
    assert "markup.md:13: WARNING: undefined label: 'nowhere'" in warnings
    # a second build reads the bad pages again instead of taking them as they are
    again = build(tmp_path, **pages)
    assert all(f"{page}.md:" in again for page in [*faults, "label"])


def test_one_label_for_two_questions_fails_the_build(tmp_path):
    one, two = "# One\n\n" + quiz("quiz-sum", SINGLE.replace("quiz-number", "quiz-sum")), "# Two\n\n"
    index = "# Start\n\n```{toctree}\none\ntwo\n```\n"
    for _ in range(2):
        with pytest.raises(ExtensionError) as error:
            build(tmp_path, index=index, one=one, two=two + quiz("quiz-sum", SEVERAL))
        assert re.search(r"quiz-sum stands in \S+one\.md, line 3 and in \S+two\.md, line 3", str(error.value))
    with pytest.raises(ExtensionError, match=r"one\.md, line 3 and in \S+one\.md, line 20"):
        build(tmp_path, index=index, one=one + "\n" + quiz("quiz-sum", SEVERAL), two=two)
    assert build(tmp_path, index=index, one=one, two=two) == ""


def test_a_question_and_a_passage_with_one_label_are_reported(tmp_path):
    page = "# One\n\n(quiz-even)=\n## A passage\n\n" + quiz("quiz-even", SEVERAL)
    warnings = build(tmp_path, index=page)
    assert re.search(r"index\.md:\d+: WARNING: Duplicate explicit target name: \"quiz-even\"", warnings)


@pytest.mark.slow
def test_a_bad_question_and_a_bad_live_cell_fail_the_build_of_the_book(book):
    cell = "```{code-cell} ipython3\n:tags: [live]\n\nimport torch\n```\n"
    test_build.write_pages(book, intro="# Start\n\n" + quiz("quiz-sum", BAD["no feedback"][0]),
                           second=test_build.FRONT_MATTER + "# Second\n\n" + cell)
    result = test_build.build(book)
    assert result.returncode != 0
    assert "intro.md:12: ERROR: quiz-sum: [ ] *five* has no feedback" in result.stdout, result.stdout
    assert "imports 'torch', which Python in a browser does not have" in result.stdout
