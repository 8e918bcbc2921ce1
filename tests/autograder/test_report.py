"""The class report: its numbers against cases counted by hand, and the page that an instructor opens."""

from __future__ import annotations

import html.parser
import json
import math
import re

import nbformat
import pytest
from nbgrader.api import Gradebook

from autograder import demo, grade, report, results
from autograder.assignments import ROOT, _put_programs_on_path
from autograder.similarity import Match, Pair
from neuralnotes import tasks
from tests.browser import needs_chromium, open_chromium

from .helpers import SLUG, TASKS, TOTAL

FORWARD = TASKS["conv2d_forward"]
FLIPPED = next(m for m in FORWARD.misconceptions if m.id == "flipped-kernel")


def result(task: str, score: float, verdict: str = "", diagnosis: str = "", seconds: float = 0.01, top=None) -> dict:
    top = float(TASKS[task].points if top is None else top)
    return {
        "task": task, "score": float(score), "max_score": top, "diagnosis": diagnosis, "hint": "", "seconds": seconds,
        "verdict": verdict or ("pass" if score == top else "fail"), "cases": [],
    }


def student(*made: dict, flags: tuple[str, ...] = (), sandbox: str = "a sandbox") -> dict:
    return {"results": {one["task"]: one for one in made}, "sandbox": sandbox, "flags": list(flags)}


def everything(**changed: dict) -> dict:
    """A student with all points, apart from the results that are given by task."""
    return student(*(changed.get(task) or result(task, TASKS[task].points) for task in TASKS))


def nothing(verdict: str = "missing", diagnosis: str = "not written yet") -> dict:
    return student(*(result(task, 0, verdict, diagnosis, seconds=0.0) for task in TASKS))


def scores(*by_student: tuple[float, float, float]) -> dict[str, dict]:
    """A class that has these points on three tasks of two points each."""
    return {
        f"s{i}": student(*(result(t, p, "pass" if p == 2 else "fail", top=2) for t, p in zip("abc", row, strict=True)))
        for i, row in enumerate(by_student)
    }


# ------------------------------------------------------------------------------------------------------- the numbers


def test_totals():
    assert report.totals(scores((2, 1, 0.5), (0, 0, 0))) == {"s0": 3.5, "s1": 0}
    assert report.totals({}) == {}


@pytest.mark.parametrize(("marks", "top", "bins", "expected"), [
    ([], 10, 2, [0, 0]),
    ([0, 4.9, 5, 10], 10, 2, [2, 2]),
    ([7, 7, 7], 10, 10, [0, 0, 0, 0, 0, 0, 0, 3, 0, 0]),
    ([0], 0, 3, [1, 0, 0]),
])
def test_histogram(marks, top, bins, expected):
    assert report.histogram(marks, top, bins) == expected


def test_task_numbers():
    everyone = {
        "ada": student(result("im2col", 3, seconds=0.1)),
        "bob": student(result("im2col", 1.5, "partial", seconds=0.3)),
        "eve": student(result("im2col", 0, seconds=0.8)),
        "stub": student(result("im2col", 0, "missing", seconds=0.9)),  # it was called, and raised NotImplementedError
    }
    numbers = report.task_numbers("im2col", everyone)
    assert (numbers.full, numbers.students, numbers.pass_rate, numbers.mean) == (1, 4, 0.25, 1.125)
    assert (numbers.median_seconds, numbers.slowest) == (0.3, ("eve", 0.8))


def test_task_numbers_of_nobody():
    numbers = report.task_numbers("im2col", {})
    assert (numbers.pass_rate, numbers.mean, numbers.median_seconds, numbers.slowest) == (0, 0, None, None)
    alone = report.task_numbers("im2col", {"blank": nothing()})
    assert (alone.students, alone.median_seconds, alone.slowest) == (1, None, None)


@pytest.mark.parametrize(("x", "y", "expected"), [
    ([1, 2, 3], [2, 4, 6], 1.0),
    ([1, 2, 3], [6, 4, 2], -1.0),
    ([1, 2, 3, 4], [1, 3, 2, 4], 0.8),
    ([0, 1, 0, 1], [0, 0, 1, 1], 0.0),
    ([1, 1, 1], [1, 2, 3], None),
    ([1, 2, 3], [5, 5, 5], None),
    ([0.1 + 0.2, 0.3, 0.3], [1, 2, 3], None),  # not quite equal by rounding only
    ([1], [1], None),
    ([], [], None),
])
def test_correlation(x, y, expected):
    found = report.correlation(x, y)
    assert found == expected if expected is None else math.isclose(found, expected, abs_tol=1e-12)


def test_a_task_that_everybody_or_nobody_has():
    everyone = scores(*[(2, 0, i % 3) for i in range(12)])
    assert report.item("a", everyone) == report.Item(12, None, "12 of 12 have all its points")
    assert report.item("b", everyone) == report.Item(12, None, "12 of 12 have no point")
    assert report.item("c", everyone) == report.Item(12, None, "")  # nothing to compare it with


def test_a_task_where_all_are_half_right():
    assert report.item("a", scores(*[(1, i % 3, 2) for i in range(10)])).problem == "all 10 have the same points"


def test_a_task_that_ranks_the_class_as_the_others_do():
    found = report.item("a", scores(*[(i % 3, i % 3, i % 3) for i in range(12)]))
    assert math.isclose(found.correlation, 1) and found.problem == ""


def test_a_task_that_ranks_the_class_the_other_way_round():
    found = report.item("a", scores(*[(2 - i % 3, i % 3, i % 3) for i in range(12)]))
    assert math.isclose(found.correlation, -1)
    assert "do worse on it (correlation \N{MINUS SIGN}1.00, 12 students)" in found.problem


def test_a_task_that_has_nothing_to_do_with_the_others():
    found = report.item("a", scores(*[(2 * (i % 2), 2 * (i // 2 % 2), 1) for i in range(12)]))
    assert abs(found.correlation) < 1e-12
    assert found.problem == "its points have next to nothing to do with the others (correlation 0.00, 12 students)"


def test_nothing_is_said_of_few_students():
    few = scores(*[(2 - i % 3, i % 3, 2) for i in range(report.FEWEST - 1)])
    assert report.item("a", few) == report.Item(9, None, "")
    assert report.item("a", {}) == report.Item(0, None, "")


def test_who_handed_in_nothing_does_not_make_a_task_look_good():
    there = scores(*[(2 * (i % 2), 2 * (i // 2 % 2), 1) for i in range(12)])
    blanks = {f"blank{i}": student(*(result(t, 0, "missing", top=2) for t in "abc")) for i in range(30)}
    assert report.item("a", {**there, **blanks}) == report.item("a", there)


def test_mistakes_are_counted_among_the_answers_to_their_task():
    flipped = result("conv2d_forward", 0, diagnosis="flipped-kernel")
    everyone = {
        "ada": everything(), "bob": everything(conv2d_forward=flipped), "eve": everything(conv2d_forward=flipped),
        "max": everything(conv2d_forward=result("conv2d_forward", 1.5, "partial", "floored-stride")),
        "blank": nothing(), "cut": nothing("unreadable", "not JSON"),
    }
    found = [(m.misconception.id, m.students, m.answers) for m in report.mistakes(TASKS.values(), everyone)]
    assert found == [("flipped-kernel", 2, 4), ("floored-stride", 1, 4)]
    assert report.mistakes(TASKS.values(), {}) == []


def test_wrong_answers_that_nothing_explains():
    everyone = {
        "ada": everything(im2col=result("im2col", 0, "fail", "case 'x': wrong values")),
        "bob": everything(im2col=result("im2col", 0, "error", "ValueError")),
        "eve": everything(conv2d_forward=result("conv2d_forward", 0, diagnosis="flipped-kernel")),
    }
    assert report.unexplained(TASKS.values(), everyone) == {"im2col": 1}


def test_who_needs_a_look():
    everyone = {
        "ada": everything(),
        "cut": nothing("unreadable", "not JSON"),
        "loop": everything(im2col=result("im2col", 0, "timeout", "no answer")),
        "torch": {**everything(), "flags": ["conv2d_fast used aten.convolution"]},
        "blank": nothing(),
    }
    assert report.needs_a_look(everyone, unsandboxed=["ada"]) == {
        "flagged": [("torch", "", "conv2d_fast used aten.convolution")],
        "unreadable": [("cut", "", "not JSON")],  # one row says it for the whole notebook
        "timeout": [("loop", "im2col", "no answer")],
        "not sandboxed": [("ada", "", report.LOOK_AT["not sandboxed"])],
    }
    assert report.needs_a_look({}) == {}
    assert report.needs_a_look({"ada": everything()}, unsandboxed=["ada"]) == {}  # the head of the page says it


def test_groups_of_alike_students():
    def pair(first, second):
        return Pair(first, second, (Match("f", "f", 1.0, 200),))

    pairs = [pair("a", "b"), pair("x", "y"), pair("b", "c"), pair("c", "d")]
    assert report.groups(pairs) == [(["a", "b", "c", "d"], [pairs[0], *pairs[2:]]), (["x", "y"], [pairs[1]])]
    assert report.groups([]) == []


def test_a_statement_is_found_by_its_heading():
    cells = [
        {"cell_type": "markdown", "source": ["# Title\n", "\n", "Read the chapter *Big\n", "ideas* first."]},
        {"cell_type": "markdown", "source": "## 1. One\ntext"},
        {"cell_type": "code", "source": "", "metadata": {"nbgrader": {"grade_id": "one-solution"}}},
        {"cell_type": "markdown", "source": "## 2. Two\n### A detail"},
        {"cell_type": "code", "source": "", "metadata": {"nbgrader": {"grade_id": "two-solution"}}},
    ]
    found = report.statement({"cells": cells})
    assert (found.title, found.chapters) == ("Title", ("Big ideas",))
    assert {key: found.sections[key] for key in ("one", "two")} == {"one": "1. One", "two": "A detail"}


@pytest.mark.parametrize("slug", tasks.ASSIGNMENTS)
def test_every_release_names_where_its_tasks_stand_and_chapters_that_exist(slug):
    notebook = json.loads((ROOT / "exercises" / slug / f"{slug}.ipynb").read_text(encoding="utf-8"))
    found = report.statement(notebook)
    assert all(found.sections[task.id] for task in tasks.assignment(slug))
    in_the_book = {
        title for path in (ROOT / "book").rglob("*.md")
        for title in re.findall(r"^# (.+?) *$", path.read_text(encoding="utf-8"), re.MULTILINE)
    }
    assert set(found.chapters) <= in_the_book


@pytest.mark.parametrize(("text", "expected"), [
    ("<b>&\"'", "&lt;b&gt;&amp;&quot;&#x27;"),
    ("two\nlines  here", "two lines here"),
    ("\x00\x1b[31m", "\\x00\\x1b[31m"),
    ("caf\udce9", "caf\\udce9"),
    ("exe.\u202efdp", "exe.\\u202efdp"),
    ("名前 👩\u200d💻", "名前 👩\u200d💻"),
    (" ", "\N{OPEN BOX}"),
])
def test_a_student_text_is_shown_as_it_is_and_does_nothing(text, expected):
    assert report.shown(text) == expected


def fill_gradebook(out, assignments: dict[str, dict[str, dict[str, bool]]]) -> None:
    """A gradebook with these written answers: assignment -> cell -> student -> whether somebody has to mark it."""
    _put_programs_on_path()
    with Gradebook(f"sqlite:///{out / 'gradebook.db'}", "neural-notes") as gradebook:
        for slug, written in assignments.items():
            gradebook.add_assignment(slug)
            gradebook.add_notebook(slug, slug)
            for cell in written:
                gradebook.add_grade_cell(cell, slug, slug, max_score=2, cell_type="markdown")
            for cell, answers in written.items():
                for student, wait in answers.items():
                    gradebook.update_or_create_student(student)
                    with gradebook.db.no_autoflush:
                        gradebook.update_or_create_submission(slug, student)
                    gradebook.find_grade(cell, slug, slug, student).needs_manual_grade = wait
        gradebook.db.commit()


def test_written_answers_that_wait_for_a_mark(page, tmp_path):
    out = page[0]
    expected = {"written": sorted(grade.gradebook_id(name) for name in ODD[:2])}
    assert report.waiting(SLUG, out) == expected
    assert report.waiting("attention", out) == {}  # all are marked
    assert report.waiting("backprop", out) is None  # nothing of it is there
    assert report.waiting(SLUG, tmp_path) is None and not (tmp_path / "gradebook.db").exists()
    assert report.waiting(SLUG, tmp_path, f"sqlite:///{out / 'gradebook.db'}") == expected


# ---------------------------------------------------------------------------------------------------------- the page


def write_results(out, slug: str, everyone: dict[str, dict], unsandboxed: tuple[str, ...] = ()) -> None:
    """Write what the grader leaves in ``out`` for these results."""
    release = ROOT / "exercises" / slug / f"{slug}.ipynb"
    (out / "release" / slug).mkdir(parents=True, exist_ok=True)
    (out / "release" / slug / f"{slug}.ipynb").write_bytes(release.read_bytes())
    for number, judged in enumerate(everyone.values()):
        results.store(out / "results", f"{slug}{number}", judged, {})
    entries = {
        name: {"key": f"{slug}{number}", "timestamp": "", "sandboxed": name not in unsandboxed, "recorded": True}
        for number, name in enumerate(everyone)
    }
    results.write_index(out, slug, entries)


class Reader(html.parser.HTMLParser):
    """What stands in a page: tags, links, ids, text; and whether the tags close as they open."""

    VOID = {"meta", "br", "wbr", "rect", "line", "img"}

    def __init__(self, page: str):
        super().__init__()
        self.tags, self.links, self.ids, self.texts, self.open = [], [], [], [], []
        self.feed(page)
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.tags.append((tag, attributes))
        self.links += [attributes[key] for key in ("href", "src") if key in attributes]
        self.ids += [attributes["id"]] if "id" in attributes else []
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        if tag not in self.VOID:
            assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append(data)

    @property
    def text(self) -> str:
        return " ".join("".join(self.texts).split())


ODD = [
    "<script>alert(1)<script>", 'a"b', "new\nline", "caf\udce9", "名前 😀", "x" * 250, "\u202eevil", "&amp;",
    "zero\x00",
]


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """The report on a class with odd names and on a second assignment of one student: (out, page)."""
    out = tmp_path_factory.mktemp("out")
    flipped = result("conv2d_forward", 0, diagnosis="flipped-kernel")
    everyone = {name: everything(conv2d_forward=flipped) for name in ODD}
    evil = "<img src=x onerror=alert(1)> \udc80 \x1b[2J"
    everyone |= {
        "ada": everything(), "blank": nothing(), "cut": nothing("unreadable", evil),
        "raises": everything(im2col=result("im2col", 0, "error", evil)),
        "flagged": {**everything(), "flags": [evil]},
    }
    write_results(out, SLUG, everyone, unsandboxed=("ada",))
    record = tasks.assignment("backprop")[0]
    one = student(*(result(t.id, t.points, top=t.points) for t in tasks.assignment("backprop")))
    one["results"][record.id] |= {"score": 0.0, "verdict": "fail", "diagnosis": record.misconceptions[0].id}
    write_results(out, "backprop", {"ada": one})
    two = [grade.gradebook_id(name) for name in ODD[:2]]
    fill_gradebook(out, {
        SLUG: {"written": {**dict.fromkeys(two, True), "ada": False}, "marked": dict.fromkeys([*two, "ada"], False)},
        "attention": {"marked too": {"ada": False}},
    })
    release = nbformat.read(out / "release" / SLUG / f"{SLUG}.ipynb", as_version=4)
    notebook = demo.with_own_cell(release, demo.EXPERIMENT)
    notebook.cells[-1].id = "own-1"
    for name in ODD[:2]:
        path = out / "submitted" / grade.gradebook_id(name) / SLUG / f"{SLUG}.ipynb"
        path.parent.mkdir(parents=True)
        nbformat.write(notebook, path)
    return out, report.write(out, progress=False).read_text(encoding="utf-8")


def test_the_page_is_well_formed_and_asks_for_nothing(page):
    read = Reader(page[1])
    assert all(link.startswith("#") for link in read.links)  # there is no feedback folder here
    assert not re.search(r"url\(|@import|https?:", page[1])
    assert {tag for tag, _ in read.tags} & {"link", "img", "iframe", "object", "base"} == set()
    assert len(read.ids) == len(set(read.ids))


def test_nothing_of_a_student_is_markup(page):
    out, text = page
    assert text.count("<script>") == 1 and "<img" not in text
    assert "&lt;script&gt;alert(1)&lt;script&gt;" in text and "&lt;img src=x onerror=alert(1)&gt;" in text
    assert "\u202e" not in text and "\x00" not in text and "\x1b" not in text
    assert text.encode("utf-8")


def test_the_page_forbids_itself_other_scripts(page):
    policy = next(a["content"] for tag, a in Reader(page[1]).tags if "http-equiv" in a)
    assert "default-src 'none'" in policy and "script-src 'sha256-" in policy and "unsafe-eval" not in policy


def test_every_assignment_has_a_section_and_a_line_in_the_contents(page):
    read = Reader(page[1])
    assert {link[1:] for link in read.links} == {SLUG, "backprop"} <= set(read.ids)


def test_the_page_says_what_the_class_got_wrong(page):
    text = Reader(page[1]).text
    assert f"{len(ODD)} of {len(ODD) + 3} have flipped kernel in conv2d_forward: see “2. The layer, forward”" in text
    assert " ".join(FLIPPED.hint.split()) in text
    assert "The theory is in the chapter Backpropagation and automatic differentiation." in text


def test_the_page_names_those_who_are_alike_and_says_that_it_proves_nothing(page):
    text = Reader(page[1]).text
    first, second = sorted(ODD[:2], key=grade.gradebook_id)
    assert f"{first} and {second}sketch_of 100% of" in text
    assert "This proves nothing. Somebody has to read both notebooks" in text


def test_the_page_lists_the_written_answers_to_mark(page):
    text = Reader(page[1]).text
    first, second = sorted(ODD[:2], key=grade.gradebook_id)
    assert f"written: 2 answers to mark{first}, {second}Mark them" in text
    assert "Not in the gradebook yet" in text  # of the other assignment


def test_the_page_says_in_red_that_some_were_not_sandboxed(page):
    read = Reader(page[1])
    assert any("danger" in attributes.get("class", "") for _, attributes in read.tags)
    assert f"NOT SANDBOXED: convolution: 1 of {len(ODD) + 5} submissions" in read.text


def test_no_red_when_all_were_sandboxed(tmp_path):
    write_results(tmp_path, SLUG, {"ada": everything()})
    read = Reader(report.write(tmp_path, progress=False).read_text(encoding="utf-8"))
    assert "NOT SANDBOXED" not in read.text
    assert not any("danger" in attributes.get("class", "") for _, attributes in read.tags)


def test_every_picture_has_words_for_it(page):
    pictures = [attributes for tag, attributes in Reader(page[1]).tags if tag == "svg"]
    assert len(pictures) == 2
    assert f"of {len(ODD) + 5} marks, by tenths of {TOTAL:g} points. 0 to 2.6: 2; " in pictures[1]["aria-label"]


def test_an_empty_folder_has_a_page(tmp_path):
    assert "Nothing has been graded" in Reader(report.write(tmp_path).read_text(encoding="utf-8")).text


@pytest.mark.parametrize("everyone", [
    {"ada": everything()},
    {"blank": nothing()},
    {f"s{i}": everything() for i in range(12)},
    {f"s{i}": nothing("unreadable", "no") for i in range(12)},
], ids=["one student", "nothing handed in", "all equal", "nobody readable"])
def test_classes_without_a_spread(tmp_path, everyone):
    write_results(tmp_path, SLUG, everyone)
    text = Reader(report.write(tmp_path, progress=False).read_text(encoding="utf-8")).text
    assert f"{len(everyone)} submission" in text and "nan" not in text.lower().split()


def test_a_link_to_the_feedback_where_there_is_some(tmp_path):
    name = "a b#c?"
    write_results(tmp_path, SLUG, {name: everything(), "other": everything()})
    feedback = tmp_path / "feedback" / grade.gradebook_id(name) / SLUG / f"{SLUG}.html"
    feedback.parent.mkdir(parents=True)
    feedback.write_text("x")
    links = Reader(report.write(tmp_path, progress=False).read_text(encoding="utf-8")).links
    assert [link for link in links if "feedback" in link] == [
        feedback.relative_to(tmp_path).as_posix().replace(" ", "%20").replace("#", "%23").replace("?", "%3F")
    ]


def test_a_thousand_students_are_a_page_that_opens(tmp_path):
    flipped = result("conv2d_forward", 0, diagnosis="flipped-kernel")
    raises = result("im2col", 0, "error", "ValueError: " + "x" * 900)
    everyone = {f"student-{i:04d}": everything(conv2d_forward=flipped, im2col=raises) for i in range(1000)}
    write_results(tmp_path, SLUG, everyone)
    path = report.write(tmp_path, progress=False)
    print("bytes for 1,000 students:", path.stat().st_size)
    assert path.stat().st_size < 2_000_000
    read = Reader(path.read_text(encoding="utf-8"))
    assert "student-0999" in read.text and "1000 of 1000 have flipped kernel" in read.text
    assert [a for tag, a in read.tags if tag == "details" and "open" in a] == []  # the long tables are folded


# -------------------------------------------------------------------------------------------------------- in a browser

CONTRAST = """() => {
  const number = color => color.match(/[0-9.]+/g).map(Number);
  const light = ([r, g, b]) => [r, g, b].map(v => v / 255)
    .map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = element => {
    for (; element; element = element.parentElement) {
      const color = number(getComputedStyle(element).backgroundColor);
      if (color.length === 3 || color[3] === 1) return color;
    }
    return [255, 255, 255];
  };
  const ratio = (a, b) => (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
  return Math.min(...[...document.querySelectorAll("p, li, th, td, a, button, summary, h1, h2, h3, .soft, code")]
    .map(e => ratio(light(number(getComputedStyle(e).color)), light(behind(e)))));
}"""


@pytest.mark.slow
@needs_chromium
def test_the_page_in_a_browser(page):
    problems, requests = [], []
    with open_chromium() as browser:
        for scheme, width in (("light", 1200), ("dark", 1200), ("light", 390), ("light", 320)):
            opened = browser.new_context(color_scheme=scheme, viewport={"width": width, "height": 800}).new_page()
            opened.on("console", lambda message: problems.append(message.text))
            opened.on("pageerror", lambda error: problems.append(str(error)))
            opened.on("request", lambda request: requests.append(request.url))
            opened.goto((page[0] / "report.html").as_uri())
            assert problems == [] and requests == [(page[0] / "report.html").as_uri()]
            requests.clear()
            assert opened.evaluate("document.documentElement.scrollWidth") <= width
            assert opened.evaluate(CONTRAST) >= 4.5
            opened.evaluate("document.querySelectorAll('details').forEach(part => { part.open = true })")
            assert opened.evaluate("document.documentElement.scrollWidth") <= width
            # sorted by total, with the keyboard alone
            table = opened.locator(f"#{SLUG} table.marks")
            button = table.get_by_role("button", name="total")
            button.focus()
            for order in ("descending", "ascending"):
                opened.keyboard.press("Enter")
                assert table.locator("th[aria-sort]").get_attribute("aria-sort") == order
                shown = [float(text) for text in table.locator("tbody td:nth-child(2)").all_inner_texts()]
                assert shown == sorted(shown, reverse=order == "descending") and shown != shown[::-1]
