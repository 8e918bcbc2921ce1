"""The formgrader in a real browser: an instructor opens a graded class, reads, adds a mark by hand, grades again."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from nbgrader.api import Gradebook

from autograder.__main__ import main
from autograder.demo import with_answers
from tests.browser import needs_chromium, open_chromium, sync_api

from .helpers import FIRST, SLUG, TASKS, TOTAL, hand_in, jupyter_server, raw, returning

WRITTEN = f"{SLUG}-written-1"
WRONG = f"{FIRST}: 0 of"
ANY = re.compile(r"\d")

pytestmark = [
    pytest.mark.slow,
    needs_chromium,
]


@pytest.fixture(scope="module")
def course(tmp_path_factory, solved) -> Path:
    """A graded class of two."""
    folder = tmp_path_factory.mktemp("formgrader")
    for name, notebook in {"ada": solved, "one wrong": with_answers(solved, {FIRST: returning("1")})}.items():
        hand_in(folder / "in" / name / SLUG, raw(notebook))
    assert main(["grade", SLUG, "--submitted", str(folder / "in"), "--out", str(folder / "out"), "--jobs", "1"]) == 0
    return folder / "out"


@pytest.fixture(scope="module")
def page(course) -> Iterator[sync_api.Page]:
    """A browser that is logged in to a Jupyter server on the course."""
    with jupyter_server(course) as (address, token), open_chromium() as chromium:
        context = chromium.new_context(base_url=address, extra_http_headers={"Authorization": f"token {token}"},
                                       viewport={"width": 1280, "height": 1000})
        # the formgrader's own pages ask a third party for MathJax; a test asks nobody
        context.route(lambda url: not url.startswith(address), lambda route: route.abort())
        context.set_default_timeout(30_000)
        yield context.new_page()


def in_gradebook(course: Path, student: str):
    """(code score, total score, manual score of the first written answer, comment there) in the gradebook."""
    with Gradebook(f"sqlite:///{course / 'gradebook.db'}", "neural-notes") as gradebook:
        submission = gradebook.find_submission(SLUG, student)
        grade = gradebook.find_grade(WRITTEN, SLUG, SLUG, student)
        comment = gradebook.find_comment(WRITTEN, SLUG, SLUG, student)
        return submission.code_score, submission.score, grade.manual_score, comment.manual_comment


def wait_until(condition) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline, "nothing happened for 30 s"
        time.sleep(0.1)


def row_of(page, student: str):
    page.goto(f"/formgrader/manage_submissions/{SLUG}")
    row = page.locator("tr", has=page.locator("td.student-id", has_text=student))
    row.locator("td.score", has_text="/").wait_for()
    return row


def open_submission(page, course: Path, student: str) -> None:
    """From the list of submissions to the page of one, by clicking."""
    row_of(page, student).locator("td.student-name a").click()
    page.locator("a", has_text=SLUG).last.click()
    # the page's script fetches the grades, then listens to what is typed
    sync_api.expect(page.locator(f"input[id='{FIRST}']")).to_have_attribute("placeholder", ANY, timeout=30_000)


def test_the_marks_of_the_class(page, course):
    assert row_of(page, "ada").locator("td.score").inner_text().startswith(f"{TOTAL:g} /")
    assert row_of(page, "one wrong").locator("td.score").inner_text().startswith(f"{TOTAL - TASKS[FIRST].points:g} /")
    assert "needs manual grading" in row_of(page, "ada").inner_text()


def test_a_notebook_with_its_feedback(page, course):
    open_submission(page, course, "one wrong")
    text = page.locator("body").inner_text()
    assert WRONG in text
    assert page.locator(f"input[id='{FIRST}']").get_attribute("placeholder") == "0"


def test_a_grade_by_hand_survives_the_autograde_button(page, course):
    open_submission(page, course, "ada")
    score = page.locator(f"input[id='{WRITTEN}']")
    score.fill("1.5")
    score.press("Tab")
    wait_until(lambda: in_gradebook(course, "ada")[2] == 1.5)
    comment = page.locator(f"textarea[id='{WRITTEN}-comment']")
    comment.fill("Say which of the two it is.")
    comment.press("Tab")
    wait_until(lambda: in_gradebook(course, "ada")[3] == "Say which of the two it is.")
    assert in_gradebook(course, "ada")[:2] == (TOTAL, TOTAL + 1.5)

    press_autograde(page, "ada")
    assert in_gradebook(course, "ada") == (TOTAL, TOTAL + 1.5, 1.5, "Say which of the two it is.")


def press_autograde(page, student: str) -> None:
    row = row_of(page, student)
    with page.expect_response(lambda r: r.url.endswith("/autograde"), timeout=120_000) as answer:
        row.locator("td.autograde a").click()
    said = json.loads(answer.value.text())
    assert said["success"], said
    page.locator(".modal-dialog", has_text="Success").wait_for()


def test_the_autograde_button_grades_what_is_there_now(page, course, solved):
    hand_in(course / "submitted" / "one wrong" / SLUG, raw(solved))
    press_autograde(page, "one wrong")
    assert in_gradebook(course, "one wrong")[0] == TOTAL
    open_submission(page, course, "one wrong")
    assert WRONG not in page.locator("body").inner_text()
    assert f"{FIRST}: {TASKS[FIRST].points:g} of" in page.locator("body").inner_text()
