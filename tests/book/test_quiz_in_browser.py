"""Self-check questions in a browser: every choice answers, by mouse and by keyboard, with a script and without."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from bs4 import BeautifulSoup
from test_quiz import NUMBER, ROOT, SEVERAL, SINGLE, build, quiz
from test_site_in_browser import SITE

from tests.browser import QuietHandler, needs_chromium, note_errors, open_chromium, serve

pytestmark = [pytest.mark.slow, needs_chromium]

WITH_QUIZ = sorted(str(path.relative_to(SITE)) for path in (SITE / "book").rglob("*.html")
                   if 'class="nn-quiz"' in path.read_text(encoding="utf-8"))
VISIBLE = """quiz => [...quiz.querySelectorAll('.nn-quiz-feedback')].filter(e => e.checkVisibility()).map(each => {
  const copy = each.cloneNode(true);
  copy.querySelectorAll('.math, button').forEach(part => part.remove());
  return copy.textContent.replace(/\\s+/g, ' ').trim();
})"""

# Gives every answer of a question, one by one, in the page itself: a chapter has many.
GIVE_EACH = """(quiz, numbers) => {
  const visible = VISIBLE;
  const before = visible(quiz);
  const [field] = quiz.querySelectorAll('input[type=text]');
  const check = quiz.querySelector('button[type=submit]');
  const given = [];
  for (const number of numbers.flat()) {
    field.value = String(number);
    check.click();
    given.push(visible(quiz));
  }
  for (const input of field ? [] : quiz.querySelectorAll('input')) {
    input.click();
    check?.click();
    given.push(visible(quiz));
    if (input.type === 'checkbox') input.click();
  }
  return [before, given];
}""".replace("VISIBLE", VISIBLE)


@pytest.fixture(scope="module")
def questions(tmp_path_factory) -> Path:
    """A built site with one question of each kind on its only page."""
    folder = tmp_path_factory.mktemp("quiz-in-browser")
    text = "# Questions\n\n" + quiz("quiz-sum", SINGLE) + quiz("quiz-even", SEVERAL) + quiz("quiz-number", NUMBER)
    assert build(folder, index=text) == ""
    return folder / "html"


class Handler(QuietHandler):
    def translate_path(self, path: str) -> str:
        # the small site has no copy of MathJax of its own
        if path.startswith("/small/_static/mathjax/"):
            return str(ROOT / "book" / "_vendor" / path.removeprefix("/small/_static/").partition("?")[0])
        folder, path = (self.small, path.removeprefix("/small")) if path.startswith("/small/") else (SITE, path)
        self.directory = str(folder)
        return super().translate_path(path)


@pytest.fixture(scope="module")
def address(questions):
    with serve(type("HandlerOfThisSite", (Handler,), {"small": questions})) as address:
        yield address


@pytest.fixture(scope="module")
def browser():
    with open_chromium() as chromium:
        yield chromium


@pytest.fixture
def open_page(browser, address):
    """open_page(path, init="", **options of the context) -> a page; an error on it fails the test."""
    contexts, errors = [], []

    def open_page(path: str = "/small/index.html", init: str = "", **options: object):
        context = browser.new_context(**options)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(10_000)
        note_errors(page, errors)
        if init:
            page.add_init_script(init)
        page.goto(address + path)
        if options.get("java_script_enabled", True):
            page.wait_for_function("!document.querySelector('.math') || document.querySelector('mjx-container')")
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert errors == []


def written(element) -> str:
    """The words of a feedback as the page brings them, without formulas."""
    for part in element.select(".math"):
        part.decompose()
    return " ".join(element.get_text().split())


def numbers_for(answers) -> list[list[float]]:
    """For each answer the numbers that it replies to: the value and the ends of its range, or one far from all."""
    known = [(float(a["data-value"]), float(a["data-tolerance"])) for a in answers if a.get("data-value")]
    far = max(value + tolerance for value, tolerance in known) + 1000.5
    result = []
    for a in answers:
        value, tolerance = float(a.get("data-value", far)), float(a.get("data-tolerance", 0))
        result.append([value, value - tolerance, value + tolerance])
    return result


@pytest.mark.parametrize("path", ["/small/index.html", *(f"/{name}" for name in WITH_QUIZ)])
def test_each_answer_of_each_question_has_its_own_reply(open_page, questions, path):
    file = questions / "index.html" if path.startswith("/small") else SITE / path[1:]
    source = BeautifulSoup(file.read_text(encoding="utf-8"), "html.parser").select(".nn-quiz")
    page = open_page(path)
    assert source and page.locator(".nn-quiz").count() == len(source)
    for expected in source:
        answers = expected.select("details.nn-quiz-answer")
        replies = [written(answer.select_one(".nn-quiz-feedback")) for answer in answers]
        assert len(set(replies)) == len(replies)
        numbers = numbers_for(answers) if expected["data-kind"] == "numeric" else []
        before, given = page.locator(f"#{expected['id']}").evaluate(GIVE_EACH, numbers)
        assert before == []
        assert given == [[reply] for reply in replies for _ in (numbers[0] if numbers else [0])]
        for answer, reply in zip(answers, replies, strict=True):
            assert reply.startswith("✓ Right" if answer["data-verdict"] == "right" else "✕ Not yet")


def test_the_question_names_its_controls_and_the_reply_is_a_live_region(open_page):
    page = open_page()
    group = page.get_by_role("group", name="Question 2 Which are even?")
    assert group.get_by_role("checkbox").count() == 3
    page.get_by_role("checkbox", name="5").check()
    group.get_by_role("button", name="Check").click()
    assert "One is left." in group.get_by_role("status").filter(has_text="Not yet").inner_text()
    assert page.get_by_role("textbox", name="Your answer").count() == 1
    assert page.get_by_role("radio", name="five", exact=True).count() == 1
    assert page.get_by_role("radio", name="Choice 2: 4", exact=True).count() == 1  # a formula alone is no name


def tab_to(page, selector: str) -> None:
    """Press Tab until an element has the focus; links and formulas on the way have it first."""
    passed = []
    for _ in range(12):
        page.keyboard.press("Tab")
        if page.evaluate("selector => document.activeElement.matches(selector)", selector):
            return
        passed.append(page.evaluate("document.activeElement.outerHTML.slice(0, 80)"))
    raise AssertionError(f"Tab does not reach {selector}, only {passed}")


def test_keys_alone(open_page):
    page = open_page()
    first, second, third = page.locator(".nn-quiz").all()
    first.locator("input").first.focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    # passing through the choices answers nothing
    assert page.evaluate("document.activeElement.value") == "2" and first.evaluate(VISIBLE) == []
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Enter")
    assert "Right" in first.evaluate(VISIBLE)[0] and "1 of 3" in page.locator(".nn-quiz-score").inner_text()
    tab_to(page, "#quiz-sum summary")
    page.keyboard.press("Enter")
    assert first.get_by_text("Use your fingers.").is_visible()
    first.locator("summary").last.wait_for()  # the next hint comes after the event
    tab_to(page, "#quiz-sum summary")
    page.keyboard.press("Space")
    assert first.get_by_text("Use your hand, all of it.").is_visible()
    tab_to(page, "#quiz-even input")
    page.keyboard.press("Space")
    tab_to(page, "#quiz-even button")
    page.keyboard.press("Enter")
    assert "there is more to choose" in second.inner_text() and len(second.evaluate(VISIBLE)) == 1
    tab_to(page, "#quiz-number input")
    page.keyboard.type("-1/2")
    page.keyboard.press("Enter")
    assert "Right" in third.evaluate(VISIBLE)[0]
    assert "2 of 3" in page.locator(".nn-quiz-score").inner_text()
    tab_to(page, ".nn-quiz-end button")
    page.keyboard.press("Enter")
    assert "0 of 3" in page.locator(".nn-quiz-score").inner_text()


def test_space_answers_a_choice_that_an_arrow_reached(open_page):
    page = open_page()
    page.locator(".nn-quiz input").first.focus()
    page.keyboard.press("Space")
    assert "Not yet" in page.locator(".nn-quiz").first.evaluate(VISIBLE)[0]
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Space")
    assert "Right" in page.locator(".nn-quiz").first.evaluate(VISIBLE)[0]
    assert "0 of 3" in page.locator(".nn-quiz-score").inner_text()


def test_only_the_first_try_counts(open_page):
    page = open_page()
    single, several, number = page.locator(".nn-quiz").all()
    score = page.locator(".nn-quiz-score")
    single.get_by_role("radio", name="five").check()
    single.locator("input").nth(1).check()
    assert "0 of 3" in score.inner_text()
    several.get_by_role("button").click()  # nothing is chosen: no try
    assert "Choose at least one." in several.inner_text()
    several.get_by_role("checkbox", name="2").check()
    several.get_by_role("checkbox", name="4").check()
    several.get_by_role("button").click()
    assert "1 of 3" in score.inner_text() and "these are all" in several.inner_text()
    several.get_by_role("checkbox", name="5").check()
    several.get_by_role("button").click()
    assert "Not every choice of yours is right." in several.inner_text() and len(several.evaluate(VISIBLE)) == 3
    number.get_by_role("textbox").fill("minus a half")
    number.get_by_role("textbox").press("Enter")  # no number: no try
    assert "not a number" in number.inner_text() and number.evaluate(VISIBLE) == []
    assert number.get_by_role("textbox").get_attribute("aria-invalid") is not None
    number.get_by_role("textbox").fill("−0,495")
    number.get_by_role("textbox").press("Enter")
    assert "2 of 3" in score.inner_text()
    page.get_by_role("button", name="Start over").click()
    assert "0 of 3" in score.inner_text()
    assert [each.evaluate(VISIBLE) for each in (single, several, number)] == [[], [], []]
    assert page.locator("input:checked").count() == 0 and number.get_by_role("textbox").input_value() == ""


def test_hints_open_one_by_one(open_page):
    page = open_page()
    one, two = page.locator(".nn-quiz-hint").all()
    assert one.is_visible() and not two.is_visible()
    one.locator("summary").click()
    two.wait_for()
    two.locator("summary").click()
    assert two.get_by_text("all of it").is_visible()
    page.get_by_role("button", name="Start over").click()
    assert not two.is_visible() and not one.get_by_text("fingers").is_visible()


def test_answers_are_kept_in_this_browser_and_nowhere_else(open_page):
    page = open_page()
    sent = []
    page.on("request", lambda request: sent.append(request.url))
    page.locator("#quiz-sum input").nth(1).check()
    page.get_by_role("checkbox", name="4").check()
    page.locator("#quiz-even").get_by_role("button").click()
    page.locator("#quiz-number input").fill("1/2")
    page.locator("#quiz-number input").press("Enter")
    assert sent == []
    before = [each.evaluate(VISIBLE) for each in page.locator(".nn-quiz").all()]
    page.reload()
    page.wait_for_selector(".nn-quiz-score")
    assert [each.evaluate(VISIBLE) for each in page.locator(".nn-quiz").all()] == before
    assert [len(each) for each in before] == [1, 1, 1]
    assert page.locator("#quiz-number input").input_value() == "1/2"
    assert "1 of 3" in page.locator(".nn-quiz-score").inner_text()
    page.locator("#quiz-sum input").nth(0).check()
    page.locator("#quiz-sum input").nth(1).check()
    assert "1 of 3" in page.locator(".nn-quiz-score").inner_text()
    page.evaluate("""() => {
      const records = JSON.parse(localStorage.getItem('neuralnotes-quiz'));
      localStorage.setItem('neuralnotes-quiz', JSON.stringify({...records, 'quiz-of-another-page': {first: true}}));
    }""")
    page.get_by_role("button", name="Start over").click()
    page.reload()
    page.wait_for_selector(".nn-quiz-score")
    assert "0 of 3" in page.locator(".nn-quiz-score").inner_text() and page.locator("input:checked").count() == 0
    assert json.loads(page.evaluate("localStorage.getItem('neuralnotes-quiz')")) == {
        "quiz-of-another-page": {"first": True}}


# denied for our record alone: MathJax has one of its own, and does not expect this
DENIED = """for (const name of ['getItem', 'setItem']) {
  const original = Storage.prototype[name];
  Storage.prototype[name] = function (key, ...rest) {
    if (key === 'neuralnotes-quiz') throw new DOMException('denied', 'SecurityError');
    return original.call(this, key, ...rest);
  };
}"""
STORED = "localStorage.setItem('neuralnotes-quiz', {!r})"
NONSENSE = ['{"quiz-sum": 5, "quiz-even": {"answer": [9]}, "quiz-number": {"answer": "much"}}', "[1]", "{", "null",
            '{"quiz-sum": {"answer": 7, "tries": "x"}, "quiz-even": {"answer": 2}, "quiz-number": {"answer": [3]}}']


@pytest.mark.parametrize("init", [DENIED, *(STORED.format(text) for text in NONSENSE)])
def test_storage_that_is_denied_or_holds_nonsense_does_no_harm(open_page, init):
    page = open_page(init=init)
    assert "0 of 3" in page.locator(".nn-quiz-score").inner_text()
    assert page.locator("#quiz-sum").evaluate(VISIBLE) == []
    page.locator("#quiz-sum input").nth(1).check()
    assert "Right" in page.locator("#quiz-sum").evaluate(VISIBLE)[0]
    assert "1 of 3" in page.locator(".nn-quiz-score").inner_text()


def test_without_a_script_the_answers_are_a_folded_list(open_page):
    page = open_page(java_script_enabled=False)
    assert page.locator("[role=main] input, .nn-quiz input, .nn-quiz button").count() == 0
    for question in page.locator(".nn-quiz").all():
        for answer in question.locator("details").all():
            body = answer.locator(":scope > :not(summary)").first
            assert answer.locator("summary").is_visible() and not body.is_visible()
            answer.locator("summary").click()
            assert body.is_visible()


def test_formulas_are_set_once(open_page):
    page = open_page()
    count = "[document.querySelectorAll('mjx-container').length, document.querySelectorAll('.math').length]"
    page.wait_for_function(f"(([set, all]) => set === all)({count})")
    for question in page.locator(".nn-quiz").all():
        if question.locator("input[type=text]").count():
            question.locator("input").fill("-0.5")
            question.get_by_role("button").click()
        else:
            question.locator("input").nth(1).check()
    page.wait_for_timeout(200)
    containers, formulas = page.evaluate(count)
    assert containers == formulas == 7
    assert page.locator("#quiz-sum .nn-quiz-feedback mjx-container[display=true]").is_visible()


def test_paper_shows_the_choices_and_no_replies(open_page):
    page = open_page()
    page.locator("#quiz-sum input").nth(1).check()
    page.emulate_media(media="print")
    assert page.locator("#quiz-sum .nn-quiz-text").nth(1).is_visible()
    for hidden in (".nn-quiz-feedback", ".nn-quiz-hint", ".nn-quiz-end", ".nn-quiz-button"):
        assert not any(each.is_visible() for each in page.locator(hidden).all())


def test_the_page_hardly_moves_when_the_script_takes_over(open_page):
    observe = """window.shift = 0; new PerformanceObserver(list => list.getEntries().forEach(
        each => (window.shift += each.value))).observe({type: 'layout-shift', buffered: true})"""
    page = open_page(init=observe)
    page.wait_for_timeout(300)
    assert page.locator(".nn-quiz-score").is_visible()
    assert page.evaluate("window.shift") < 0.1


NUMBERS = {
    "0.5": 0.5, "-0.5": -0.5, "+2": 2, " 7 ": 7, ".5": 0.5, "5.": 5, "1e-3": 1e-3, "2E+2": 200, "1,5": 1.5, ",25": 0.25,
    "3/4": 0.75, "-3 / 4": -0.75, "1.5/2": 0.75, "1/-2": -0.5, "−3": -3, "− 3": -3, "1e−3": 1e-3, "1e6": 1e6,
    "": None, " ": None, "half": None, "1/0": None, "0/0": None, "1e999": None, "Infinity": None, "NaN": None,
    "0x10": None, "1,000.5": None, "1.2.3": None, "1/2/3": None, "/2": None, "3/": None, "1 2": None, "--1": None,
    "1e": None, "5%": None, "1_000": None,
}


def test_numbers_are_read_as_people_write_them(open_page):
    page = open_page()
    script = """async texts => {
      document.body.replaceChildren();
      const quiz = await import(new URL('_static/quiz.js?test', location.href));
      return texts.map(text => quiz.parseNumber(text)).map(number => Number.isNaN(number) ? null : number);
    }"""
    assert dict(zip(NUMBERS, page.evaluate(script, list(NUMBERS)), strict=True)) == NUMBERS


def test_the_ends_of_a_tolerance_count(open_page):
    page = open_page()
    script = """async cases => {
      document.body.replaceChildren();
      const quiz = await import(new URL('_static/quiz.js?test', location.href));
      return cases.map(([number, value, tolerance]) => quiz.isWithin(number, value, tolerance));
    }"""
    inside = [[0.31, 0.3, 0.01], [0.29, 0.3, 0.01], [-0.31, -0.3, 0.01], [0.1 + 0.2, 0.3, 0], [0, 0, 0],
              [1e-6, 0, 1e-6]]
    outside = [[0.3101, 0.3, 0.01], [0.3, -0.3, 0.01], [0.3000001, 0.3, 0], [1e-9, 0, 0], [1.001e-6, 0, 1e-6]]
    assert page.evaluate(script, inside + outside) == [True] * len(inside) + [False] * len(outside)
