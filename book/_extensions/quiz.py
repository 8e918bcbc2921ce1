"""Self-check questions: the directive `{quiz}`.

A question with choices has one line per choice, `- [x] text` for a right one and `- [ ] text` for a wrong one; a
question for a number has `- [=] value +- tolerance` for the right answer, `- [!] value +- tolerance` for a known wrong
one, and `- [?]` for every other number. The indented lines below each are its feedback. `hint: text` may stand any
number of times. All of it is MyST Markdown. A question that is not whole stops the build.

Without a script the page shows each choice as a folded `<details>`; `quiz.js` turns it into buttons and a field.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import combinations

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.errors import ExtensionError
from sphinx.util.docutils import SphinxDirective
from sphinx.writers.html5 import HTML5Translator

# What the directive itself writes on the page, by language of the site; quiz.js has a table of its own.
STRINGS = {
    "en": {
        "question": "Question {}",
        "link": "Link to this question",
        "several": "Choose all that apply.",
        "right": "Right",
        "wrong": "Not yet",
        "other": "Another number",
        "hint": "Hint",
    },
}
LABEL = re.compile(r"quiz-[a-z0-9]+(-[a-z0-9]+)*")
FENCE = re.compile(r"\s*(`{3,}|~{3,}|:{3,})")
MARKER = re.compile(r"- \[(?P<marker>[^\]]{0,3})\](?P<text>\s.*|)$")
HINT = re.compile(r"hint:(?P<text>.*)$")
RANGE = re.compile(r"(?P<value>\S+)\s*\+-\s*(?P<tolerance>\S+)$")
CHOICES = {"x": "right", " ": "wrong"}
NUMBERS = {"=": "right", "!": "wrong", "?": "other"}
# The sign and the word in front of the feedback say this already.
VERDICT = re.compile(r"(Right|No)\.\s+")


@dataclass
class Answer:
    """A choice, or a number that a reader may give; `first` is the line of `feedback[0]`."""

    line: int
    marker: str
    text: str
    value: float = math.nan
    tolerance: float = math.nan
    first: int = 0
    feedback: list[str] = field(default_factory=list)

    @property
    def verdict(self) -> str:
        return (CHOICES | NUMBERS)[self.marker]


@dataclass
class Question:
    """The parts of a question; lines are counted from 0, the first line of the directive's content."""

    prompt: list[str] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)
    hints: list[tuple[int, str]] = field(default_factory=list)
    problems: list[tuple[int, str]] = field(default_factory=list)

    @property
    def kind(self) -> str:
        if self.answers[0].marker in NUMBERS:
            return "numeric"
        return "single" if sum(answer.marker == "x" for answer in self.answers) == 1 else "multiple"


def parse(lines: list[str]) -> Question:
    """Take a question apart and list what is wrong with it in `problems`, as pairs of line and message."""
    question = Question()
    fence = ""  # the fence of a code block that stands open in the prompt
    in_hint = False
    for number, line in enumerate(lines):
        if not question.answers and not in_hint and (fence or FENCE.match(line)):
            mark = FENCE.match(line)
            fence = "" if fence and line.strip() == fence else fence or mark[1]
            question.prompt.append(line)
        elif match := MARKER.match(line):
            question.answers.append(Answer(number, match["marker"], match["text"].strip()))
            in_hint = False
        elif match := HINT.match(line):
            question.hints.append((number, match["text"].strip()))
            in_hint = True
        elif in_hint and line.strip():
            start, text = question.hints[-1]
            question.hints[-1] = (start, f"{text} {line.strip()}".strip())
        elif in_hint or question.answers and not line.strip():
            in_hint = False
            if question.answers and question.answers[-1].feedback:
                question.answers[-1].feedback.append("")
        elif question.answers and line.startswith("  "):
            answer = question.answers[-1]
            answer.first = answer.first if answer.feedback else number
            answer.feedback.append(line)
        elif question.answers:
            question.problems.append((number, "this line belongs to nothing; indent feedback by two spaces"))
        else:
            question.prompt.append(line)
    question.problems += find_problems(question)
    return question


def find_problems(question: Question) -> Iterator[tuple[int, str]]:
    if not any(line.strip() for line in question.prompt):
        yield 0, "the question is empty; write it before its choices"
    for line, text in question.hints:
        if not text:
            yield line, "the hint is empty"
    known = {**CHOICES, **NUMBERS}
    for answer in question.answers:
        if answer.marker not in known:
            yield answer.line, f"unknown marker [{answer.marker}]; choices have [x] or [ ], numbers [=], [!] or [?]"
        elif not any(line.strip() for line in answer.feedback):
            yield answer.line, f"[{answer.marker}] {answer.text} has no feedback; indent it below the choice".rstrip()
    markers = [answer.marker for answer in question.answers if answer.marker in known]
    if not markers:
        yield 0, "the question has no choices; write `- [x] text` or `- [=] value +- tolerance`"
    elif all(marker in CHOICES for marker in markers):
        yield from find_problems_of_choices(question)
    elif all(marker in NUMBERS for marker in markers):
        yield from find_problems_of_numbers(question)
    else:
        odd = next(answer for answer in question.answers if (answer.marker in NUMBERS) != (markers[0] in NUMBERS))
        yield odd.line, "choices and numbers are mixed; a question asks for one or the other"


def find_problems_of_choices(question: Question) -> Iterator[tuple[int, str]]:
    if len(question.answers) < 2:
        yield question.answers[0].line, "a question needs two choices or more"
    if not any(answer.marker == "x" for answer in question.answers):
        yield question.answers[0].line, "no choice is right; mark one with [x]"
    texts: set[str] = set()
    for answer in question.answers:
        if not answer.text:
            yield answer.line, "the choice is empty"
        elif answer.text in texts:
            yield answer.line, f"the choice {answer.text} stands twice"
        texts.add(answer.text)


def find_problems_of_numbers(question: Question) -> Iterator[tuple[int, str]]:
    counts = {marker: sum(answer.marker == marker for answer in question.answers) for marker in NUMBERS}
    if not counts["="]:
        yield question.answers[0].line, "no number is right; write `- [=] value +- tolerance`"
    if counts["?"] != 1:
        yield question.answers[-1].line, "a question for a number needs exactly one `- [?]`, the reply to other numbers"
    ranges = []
    for answer in question.answers:
        if answer.marker == "?":
            if answer.text:
                yield answer.line, "nothing stands behind [?]; its feedback goes below it"
        elif problem := read_range(answer):
            yield answer.line, problem
        else:
            ranges.append(answer)
    for one, two in combinations(ranges, 2):
        if abs(one.value - two.value) <= one.tolerance + two.tolerance:
            yield two.line, f"{two.text} overlaps {one.text}; a number must have one reply"


def read_range(answer: Answer) -> str:
    """Read `value +- tolerance` into the answer; return what is wrong with it, or an empty string."""
    match = RANGE.match(answer.text)
    if not match:
        return f"{answer.text!r} has no tolerance; write `value +- tolerance`"
    try:
        answer.value, answer.tolerance = float(match["value"]), float(match["tolerance"])
    except ValueError:
        return f"{answer.text!r} is not `value +- tolerance` with two decimal numbers"
    if not math.isfinite(answer.value) or not math.isfinite(answer.tolerance):
        return f"{answer.text!r} is not finite"
    return "the tolerance is negative" if answer.tolerance < 0 else ""


class QuizNode(nodes.General, nodes.Element):
    """A question: its prompt, its answers, its hints."""


class QuizPrompt(nodes.General, nodes.Element):
    """The question itself."""


class QuizAnswer(nodes.General, nodes.Element):
    """A choice or a number: its text, then its feedback."""


class QuizText(nodes.Part, nodes.TextElement):
    """One line: the text of a choice, of a title or of a summary."""


class QuizFeedback(nodes.General, nodes.Element):
    """The reply to one answer."""


class QuizHint(nodes.General, nodes.Element):
    """A hint, folded."""


class Quiz(SphinxDirective):
    """`{quiz} quiz-label`: one question."""

    required_arguments = 1
    final_argument_whitespace = True
    has_content = True

    def run(self) -> list[nodes.Node]:
        label = self.arguments[0]
        question = parse(list(self.content))
        # The message is one for the page, too: it fails a build with -W, and stands where the question would.
        messages = [self.problem(line, f"{label}: {text}") for line, text in question.problems]
        if not LABEL.fullmatch(label):
            messages.insert(0, self.problem(-1, f"the label {label!r} must be quiz- and lower-case words: quiz-a-rule"))
        if messages:
            return messages
        own = self.env.metadata[self.env.docname].setdefault("quizzes", [])
        own.append((label, self.lineno))
        number = len(own)
        node = QuizNode(ids=[label], names=[label], kind=question.kind, number=number)
        self.set_source_info(node)
        self.state.document.note_explicit_target(node)
        prompt = QuizPrompt(ids=[f"{label}-prompt"])
        self.parse_into(prompt, question.prompt, 0)
        if question.kind == "multiple":
            prompt += nodes.paragraph("", self.strings["several"], translatable=False)
        node += prompt
        # Numbers in their order, the reply to all others last: the place says nothing about which is right.
        ordered = sorted(question.answers, key=order) if question.kind == "numeric" else question.answers
        node += [self.answer(answer) for answer in ordered]
        for count, (line, text) in enumerate(question.hints, start=1):
            title = self.strings["hint"] + (f" {count}" if len(question.hints) > 1 else "")
            hint = QuizHint("", self.text(title))
            self.parse_into(hint, [text], line)
            node += hint
        return [node]

    @property
    def strings(self) -> dict[str, str]:
        return strings(self.config.language)

    def line_of(self, line: int) -> int:
        """The line of the page for a line of the content."""
        return self.lineno + self.content_offset + 1 + line

    def problem(self, line: int, message: str) -> nodes.system_message:
        # Remembered, so that the next build reads the page again instead of passing over it.
        self.env.metadata[self.env.docname]["quiz_problem"] = True
        return self.state.document.reporter.error(message, line=self.line_of(line))

    def parse_into(self, node: nodes.Element, lines: list[str], first: int) -> None:
        self.state.nested_parse(lines, self.content_offset + first, node)

    def text(self, text: str) -> QuizText:
        return QuizText(text, text, translatable=False)

    def answer(self, answer: Answer) -> QuizAnswer:
        node = QuizAnswer(verdict=answer.verdict)
        if answer.marker in NUMBERS:
            node += self.text(self.strings["other"] if answer.marker == "?" else shown(answer.value))
            if answer.marker != "?":
                node["value"], node["tolerance"] = answer.value, answer.tolerance
        else:
            children, messages = self.state.inline_text(answer.text, self.line_of(answer.line))
            text = QuizText(answer.text, "", *children, *messages)
            text.source, text.line = self.env.doc2path(self.env.docname), self.line_of(answer.line)
            node += text
        indent = min(len(line) - len(line.lstrip()) for line in answer.feedback if line.strip())
        lines = [line[indent:] for line in answer.feedback]
        lines[0] = VERDICT.sub("", lines[0], count=1)
        feedback = QuizFeedback(verdict="right" if answer.verdict == "right" else "wrong")
        self.parse_into(feedback, lines, answer.first)
        node += feedback
        return node


def strings(language: str | None) -> dict[str, str]:
    return STRINGS.get(language or "en", STRINGS["en"])


def order(answer: Answer) -> float:
    return math.inf if answer.marker == "?" else answer.value


def shown(value: float) -> str:
    return f"{value:g}".replace("-", "\N{MINUS SIGN}")


def set_titles(app: Sphinx, doctree: nodes.document) -> None:
    """Give each question the title that a reference to it shows; its place is known to Sphinx already."""
    labels = app.env.get_domain("std").labels
    for node in doctree.findall(QuizNode):
        title = strings(app.config.language)["question"].format(node["number"])
        labels[node["ids"][0]] = (app.env.docname, node["ids"][0], title)


def pages_with_problems(app: Sphinx, env: BuildEnvironment, *changes: set[str]) -> list[str]:
    return [name for name, metadata in env.metadata.items() if "quiz_problem" in metadata]


def check_duplicates(app: Sphinx, env: BuildEnvironment) -> None:
    places: dict[str, list[str]] = {}
    for name in sorted(env.found_docs):
        for label, line in env.metadata.get(name, {}).get("quizzes", []):
            places.setdefault(label, []).append(f"{env.doc2path(name)}, line {line}")
    duplicates = [f"{label} stands in {' and in '.join(found)}" for label, found in places.items() if len(found) > 1]
    if duplicates:
        raise ExtensionError(f"quiz: a label belongs to one question; rename one: {'; '.join(duplicates)}")


def add_assets(app: Sphinx, pagename: str, templatename: str, context: dict, doctree: nodes.document | None) -> None:
    """Load the script and the style on pages that have a question, and on no other."""
    if doctree is not None and next(doctree.findall(QuizNode), None):
        app.add_css_file("quiz.css")
        app.add_js_file("quiz.js", type="module")


def visit_quiz(self: HTML5Translator, node: QuizNode) -> None:
    label, words = node["ids"][0], strings(self.config.language)
    self.body.append(self.starttag(node, "div", CLASS="nn-quiz", **{"data-kind": node["kind"]}))
    self.body.append(
        f'<p class="nn-quiz-title"><span id="{label}-title">{words["question"].format(node["number"])}</span>'
        f'<a class="headerlink" href="#{label}" title="{words["link"]}">#</a></p>\n'
    )


def visit_prompt(self: HTML5Translator, node: QuizPrompt) -> None:
    self.body.append(self.starttag(node, "div", CLASS="nn-quiz-prompt"))


def visit_answer(self: HTML5Translator, node: QuizAnswer) -> None:
    data = {f"data-{name}": repr(node[name]) for name in ("value", "tolerance") if name in node}
    data["data-verdict"] = node["verdict"]
    self.body.append(self.starttag(node, "details", CLASS="nn-quiz-answer", **data))


def visit_text(self: HTML5Translator, node: QuizText) -> None:
    self.body.append('<summary><span class="nn-quiz-text">')


def depart_text(self: HTML5Translator, node: QuizText) -> None:
    self.body.append("</span></summary>\n")


def visit_feedback(self: HTML5Translator, node: QuizFeedback) -> None:
    sign = "\N{CHECK MARK}" if node["verdict"] == "right" else "\N{MULTIPLICATION X}"
    word = strings(self.config.language)[node["verdict"]]
    self.body.append('<div class="nn-quiz-feedback">\n')
    self.body.append(
        f'<p class="nn-quiz-verdict nn-quiz-{node["verdict"]}"><span aria-hidden="true">{sign}</span> {word}</p>\n'
    )


def visit_hint(self: HTML5Translator, node: QuizHint) -> None:
    self.body.append('<details class="nn-quiz-hint">')


def end_div(self: HTML5Translator, node: nodes.Element) -> None:
    self.body.append("</div>\n")


def end_details(self: HTML5Translator, node: nodes.Element) -> None:
    self.body.append("</details>\n")


def setup(app: Sphinx) -> dict[str, object]:
    app.add_directive("quiz", Quiz)
    app.add_node(QuizNode, html=(visit_quiz, end_div))
    app.add_node(QuizPrompt, html=(visit_prompt, end_div))
    app.add_node(QuizAnswer, html=(visit_answer, end_details))
    app.add_node(QuizText, html=(visit_text, depart_text))
    app.add_node(QuizFeedback, html=(visit_feedback, end_div))
    app.add_node(QuizHint, html=(visit_hint, end_details))
    app.connect("doctree-read", set_titles)
    app.connect("env-get-outdated", pages_with_problems)
    app.connect("env-updated", check_duplicates)
    app.connect("html-page-context", add_assets)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
