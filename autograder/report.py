"""The class report: one self-contained HTML page on every assignment that was graded into a folder.

The numbers come from plain functions on what ``results.everyone`` gives; what is below them writes HTML. Everything
that a student wrote (names of folders, messages of exceptions) goes through ``shown`` on its way into the page, and the
page forbids itself every script but its own, which only sorts tables.
"""

from __future__ import annotations

import base64
import collections
import datetime
import hashlib
import html
import json
import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from statistics import mean, median
from urllib.parse import quote

from neuralnotes import tasks

from . import results, similarity

NOT_TRIED = ("missing", "unreadable")  # verdicts on a task for which there was nothing to judge
# what somebody should look at, the gravest first, and why
LOOK_AT = {
    "flagged": "the points stand, and a person has to decide",
    "forbidden": "asked for something that the task does not allow",
    "unreadable": "no notebook that can be opened",
    "timeout": "code that does not come to an end",
    "memory": "asked for more than the task allows",
    "error": "code that fails",
    "not sandboxed": "what their code did while it ran was not contained",
}
FOLD = 60  # rows of a long table beyond which it is folded
FEWEST = 10  # students below whom nothing is said about whether a task discriminates
NEARLY_ALL = 0.95
LOW = 0.1  # correlation with the rest below which a task hardly tells strong students from weak ones
BINS = 10
OPEN = 12  # rows of anything else
MAX_DETAIL = 200
MAX_PAIRS = 200  # of alike students in the page; the file has them all

STYLE = """
:root { color-scheme: light dark; --paper: #fff; --ink: #1c2024; --soft: #59626b; --line: #d5d9dd; --card: #f5f6f7;
  --bar: #0068a3; --link: #0060a0; --bad: #b3261e; --bad-paper: #fdecea; }
@media (prefers-color-scheme: dark) { :root { --paper: #16191c; --ink: #e6e8ea; --soft: #a6afb8; --line: #3b424a;
  --card: #20252a; --bar: #5aa9dc; --link: #7cc0f0; --bad: #ff9a90; --bad-paper: #3a1a18; } }
* { box-sizing: border-box; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 72rem; margin: 0 auto; padding: 1rem 1rem 4rem;
  background: var(--paper); color: var(--ink); overflow-wrap: anywhere; }
h1 { font-size: 1.7rem; line-height: 1.2; margin: 1rem 0 .3rem; }
h2 { font-size: 1.4rem; line-height: 1.25; margin: 3rem 0 .3rem; padding-top: 1rem; border-top: 2px solid var(--line); }
h3 { font-size: 1.1rem; margin: 2rem 0 .4rem; }
p { margin: .4rem 0; max-width: 48rem; }
a { color: var(--link); }
code { font-size: .92em; }
.soft { color: var(--soft); }
.danger { border: 2px solid var(--bad); background: var(--bad-paper); color: var(--bad); padding: .6rem 1rem;
  margin: 1rem 0; border-radius: 4px; font-weight: 600; max-width: none; }
.danger p { max-width: none; }
ul.plain { list-style: none; padding: 0; margin: .4rem 0; }
ul.plain > li { margin: 0 0 .7rem; padding: .5rem .8rem; background: var(--card); border-radius: 4px; }
.numbers { display: flex; flex-wrap: wrap; gap: .6rem; margin: .8rem 0; padding: 0; list-style: none; }
.numbers li { background: var(--card); border-radius: 4px; padding: .5rem .9rem; color: var(--soft); font-size: .9rem; }
.numbers b { display: block; font-size: 1.35rem; line-height: 1.2; color: var(--ink); }
.scroll { overflow-x: auto; margin: .5rem 0 1rem; }
table { border-collapse: collapse; width: 100%; font-size: .92rem; overflow-wrap: normal; }
th, td { text-align: left; padding: .3rem .6rem; border-bottom: 1px solid var(--line); vertical-align: top; }
thead th { vertical-align: bottom; border-bottom: 2px solid var(--line); }
th button { font: inherit; color: var(--link); background: none; border: 0; padding: .2rem 0; cursor: pointer;
  text-align: inherit; text-decoration: underline; text-underline-offset: .15em; }
th[aria-sort=ascending] button::after { content: " \\2191"; }
th[aria-sort=descending] button::after { content: " \\2193"; }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
tbody th { font-weight: 600; min-width: 8rem; max-width: 22rem; overflow-wrap: anywhere; }
td.long { min-width: 14rem; max-width: 40rem; overflow-wrap: anywhere; }
.marks thead th { max-width: 8rem; overflow-wrap: anywhere; }
.rate { display: inline-block; width: 5rem; height: .7em; margin-right: .4em; background: var(--line); }
.rate i { display: block; height: 100%; background: var(--bar); }
svg { display: block; width: 100%; max-width: 30rem; height: auto; margin: .5rem 0; }
svg rect { fill: var(--bar); }
svg text { fill: var(--ink); font: 12px system-ui, sans-serif; text-anchor: middle; }
svg line { stroke: var(--soft); }
details { margin: .4rem 0; }
summary { cursor: pointer; padding: .3rem 0; font-weight: 600; }
@media (max-width: 30rem) { body { font-size: 15px; padding: .5rem .7rem 3rem; } h1 { font-size: 1.4rem; } }
@media print {
  :root { --paper: #fff; --ink: #000; --soft: #444; --line: #bbb; --card: #fff; --bar: #0068a3; --link: #000;
    --bad: #b3261e; --bad-paper: #fff; color-scheme: light; }
  body { font-size: 10pt; max-width: none; padding: 0; }
  .scroll { overflow: visible; } .marks { font-size: 7pt; } .marks th, .marks td { padding: .1rem .2rem; min-width: 0; }
  h2 { break-before: page; } h2:first-of-type { break-before: auto; } h3 { break-after: avoid; }
  tr, li { break-inside: avoid; } details::details-content { content-visibility: visible; }
}
"""

# The page is whole without it: tables can be sorted with it, and folded parts open when the page is printed.
SCRIPT = """
for (const table of document.querySelectorAll("table.sortable")) {
  const heads = [...table.tHead.rows[0].cells], body = table.tBodies[0];
  heads.forEach((head, column) => {
    const button = document.createElement("button");
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const number = head.classList.contains("n");
      const up = head.hasAttribute("aria-sort") ? head.ariaSort !== "ascending" : !number;
      heads.forEach(other => other.removeAttribute("aria-sort"));
      head.ariaSort = up ? "ascending" : "descending";
      const key = row => { const text = row.cells[column].textContent; return number ? parseFloat(text) || 0 : text; };
      const order = (a, b) => number ? key(a) - key(b) : key(a).localeCompare(key(b), undefined, { numeric: true });
      body.append(...[...body.rows].sort((a, b) => up ? order(a, b) : order(b, a)));
    });
  });
}
addEventListener("beforeprint", () => document.querySelectorAll("details").forEach(part => { part.open = true; }));
"""


# ------------------------------------------------------------------------------------------------------- the numbers


def totals(everyone: dict[str, dict]) -> dict[str, float]:
    """Points of every student."""
    return {name: sum(r["score"] for r in judged["results"].values()) for name, judged in everyone.items()}


def histogram(marks: Iterable[float], top: float, bins: int = BINS) -> list[int]:
    """How many marks lie in each of ``bins`` equal parts of 0 to ``top``; full marks are in the last one."""
    counts = [0] * bins
    for mark in marks:
        counts[max(0, min(bins - 1, int(bins * mark / top))) if top else 0] += 1
    return counts


def tried(everyone: dict[str, dict], task_id: str | None = None) -> dict[str, dict]:
    """Those who handed in something to judge: for one task, or for any."""
    def ids(judged):
        return [task_id] if task_id else judged["results"]

    return {
        name: judged for name, judged in everyone.items()
        if any(judged["results"][i]["verdict"] not in NOT_TRIED for i in ids(judged))
    }


@dataclass(frozen=True)
class TaskNumbers:
    """How a task went: full marks and mean points of the whole class, seconds of those who handed in something."""

    full: int
    students: int
    mean: float
    median_seconds: float | None
    slowest: tuple[str, float] | None

    @property
    def pass_rate(self) -> float:
        return self.full / self.students if self.students else 0.0


def task_numbers(task_id: str, everyone: dict[str, dict]) -> TaskNumbers:
    found = {name: judged["results"][task_id] for name, judged in everyone.items()}
    seconds = {name: r["seconds"] for name, r in found.items() if r["seconds"] > 0 and r["verdict"] not in NOT_TRIED}
    slowest = max(seconds, key=seconds.get, default=None)
    return TaskNumbers(
        full=sum(r["verdict"] == "pass" for r in found.values()),
        students=len(found),
        mean=mean(r["score"] for r in found.values()) if found else 0.0,
        median_seconds=median(seconds.values()) if seconds else None,
        slowest=None if slowest is None else (slowest, seconds[slowest]),
    )


def correlation(x: list[float], y: list[float]) -> float | None:
    """Pearson's correlation; None when one of the two does not vary."""
    mean_x, mean_y = math.fsum(x) / max(len(x), 1), math.fsum(y) / max(len(y), 1)
    dx, dy = [a - mean_x for a in x], [b - mean_y for b in y]
    # scores are halves of small numbers: what is left of a difference after rounding is far below this
    if max(map(abs, dx), default=0.0) < 1e-9 or max(map(abs, dy), default=0.0) < 1e-9:
        return None
    return math.fsum(a * b for a, b in zip(dx, dy, strict=True)) / math.sqrt(
        math.fsum(a * a for a in dx) * math.fsum(b * b for b in dy)
    )


@dataclass(frozen=True)
class Item:
    """Whether a task tells strong students from weak ones.

    Attributes:
        students: Who handed in something; the others, without a point anywhere, would make every task look good.
        correlation: Of the task's points with the points on all other tasks; None when one of them does not vary.
        problem: What is the matter with it; "" when nothing is, or when too few students say.
    """

    students: int
    correlation: float | None
    problem: str


def item(task_id: str, everyone: dict[str, dict]) -> Item:
    there = tried(everyone)
    n = len(there)
    if n < FEWEST:
        return Item(n, None, "")
    points = [judged["results"][task_id]["score"] for judged in there.values()]
    top = next(iter(there.values()))["results"][task_id]["max_score"]
    rest = [total - own for total, own in zip(totals(there).values(), points, strict=True)]
    r = correlation(points, rest)
    full, none = sum(p == top for p in points), sum(p == 0 for p in points)
    if full >= NEARLY_ALL * n:
        problem = f"{full} of {n} have all its points"
    elif none >= NEARLY_ALL * n:
        problem = f"{none} of {n} have no point"
    elif len(set(points)) == 1:
        problem = f"all {n} have the same points"
    elif r is not None and r < -LOW:
        problem = f"those who do well on the other tasks do worse on it (correlation {number(r)}, {n} students)"
    elif r is not None and r < LOW:
        problem = f"its points have next to nothing to do with the others (correlation {number(r)}, {n} students)"
    else:
        problem = ""
    return Item(n, r, problem)


def number(r: float) -> str:
    """A correlation as people write it; no minus before a zero."""
    return f"{round(r, 2) + 0.0:.2f}".replace("-", "\N{MINUS SIGN}")


@dataclass(frozen=True)
class Mistake:
    """A misconception that was recognized: in how many of the answers to its task."""

    task: tasks.Task
    misconception: tasks.Misconception
    students: int
    answers: int


def mistakes(records: Iterable[tasks.Task], everyone: dict[str, dict]) -> list[Mistake]:
    """The misconceptions of the class, the most frequent first."""
    found = []
    for task in records:
        answers = [judged["results"][task.id] for judged in tried(everyone, task.id).values()]
        counts = collections.Counter(r["diagnosis"] for r in answers if r["verdict"] != "pass")
        for misconception in task.misconceptions:
            if counts[misconception.id]:
                found.append(Mistake(task, misconception, counts[misconception.id], len(answers)))
    return sorted(found, key=lambda mistake: -mistake.students)


def unexplained(records: Iterable[tasks.Task], everyone: dict[str, dict]) -> dict[str, int]:
    """By task: answers that ran, are wrong or half right, and equal no misconception."""
    counts = {}
    for task in records:
        known = {misconception.id for misconception in task.misconceptions}
        found = (judged["results"][task.id] for judged in everyone.values())
        counts[task.id] = sum(r["verdict"] in ("fail", "partial") and r["diagnosis"] not in known for r in found)
    return {task_id: count for task_id, count in counts.items() if count}


def needs_a_look(everyone: dict[str, dict], unsandboxed: Iterable[str] = ()) -> dict[str, list[tuple[str, str, str]]]:
    """Who needs a look: reason -> rows of student, task ("" for the whole notebook), what was seen."""
    found: dict[str, list[tuple[str, str, str]]] = {reason: [] for reason in LOOK_AT}
    for name, judged in sorted(everyone.items()):
        for flag in judged.get("flags", ()):
            found["flagged"].append((name, "", flag))
        rows = [(r["task"], r["verdict"], r["diagnosis"]) for r in judged["results"].values()]
        if len(rows) > 1 and len({row[1:] for row in rows}) == 1:
            rows = [("", *rows[0][1:])]  # the same of every task: said once
        for task_id, verdict, detail in rows:
            if verdict in LOOK_AT:
                found[verdict].append((name, task_id, detail))
    unsandboxed = sorted(unsandboxed)
    if len(unsandboxed) < len(everyone):  # of the whole class the head of the page says it
        found["not sandboxed"] = [(name, "", LOOK_AT["not sandboxed"]) for name in unsandboxed]
    return {reason: rows for reason, rows in found.items() if rows}


def groups(pairs: list[similarity.Pair]) -> list[tuple[list[str], list[similarity.Pair]]]:
    """Students who are alike, directly or through others, with their pairs; the most code first."""
    group = {}
    for pair in pairs:
        merged = [*group.get(pair.first, [pair.first]), *group.get(pair.second, [pair.second])]
        merged = sorted(set(merged))
        group.update(dict.fromkeys(merged, merged))
    found: dict[tuple[str, ...], list[similarity.Pair]] = {}
    for pair in pairs:
        found.setdefault(tuple(group[pair.first]), []).append(pair)
    return [(list(names), members) for names, members in found.items()]


def waiting(slug: str, out: Path, db: str | None = None) -> dict[str, list[str]] | None:
    """Written answers that wait for a mark.

    Args:
        slug: The assignment.
        out: The folder of the run.
        db: Address of the gradebook; ``<out>/gradebook.db`` when None.

    Returns:
        Cell -> the students (gradebook names) whose answer has no mark, or one from before a regrade; None when the
        gradebook has nothing of this assignment yet.
    """
    from nbgrader.api import Assignment, Grade, Gradebook, GradeCell, Student, SubmittedAssignment, SubmittedNotebook

    if db is None and not (Path(out) / "gradebook.db").is_file():
        return None
    with Gradebook(db or f"sqlite:///{Path(out) / 'gradebook.db'}", "neural-notes") as gradebook:
        submissions = gradebook.db.query(SubmittedAssignment).join(Assignment).filter(Assignment.name == slug)
        if not submissions.count():
            return None
        rows = (
            gradebook.db.query(GradeCell.name, Student.id).select_from(SubmittedAssignment)
            .join(SubmittedNotebook).join(Assignment).join(Student).join(Grade).join(GradeCell)
            .filter(Assignment.name == slug, Grade.needs_manual_grade)
            .order_by(GradeCell.name, Student.id).all()
        )
    found: dict[str, list[str]] = {}
    for cell, student in rows:
        found.setdefault(cell, []).append(student)
    return found


@dataclass(frozen=True)
class Statement:
    """What a release says of itself: its title, where each task stands, the chapters that it names."""

    title: str
    sections: dict[str, str]
    chapters: tuple[str, ...]


def statement(notebook: dict) -> Statement:
    """Read a release notebook: a task stands under the last heading before its solution cell."""
    title, heading, sections, chapters = "", "", {}, []
    for cell in notebook["cells"]:
        source = cell["source"] if isinstance(cell["source"], str) else "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            for hashes, words in re.findall(r"^(#{1,3}) +(.+?) *$", source, re.MULTILINE):
                title, heading = (title or words, heading) if hashes == "#" else (title, words)
            chapters += re.findall(r"chapter \*([^*]+)\*", " ".join(source.split()))
        else:
            sections[cell["metadata"].get("nbgrader", {}).get("grade_id", "").removesuffix("-solution")] = heading
    return Statement(title, sections, tuple(dict.fromkeys(chapters)))


# ---------------------------------------------------------------------------------------------------------- the page


def write(out: Path, db: str | None = None, progress: bool = True) -> Path:
    """Write ``<out>/report.html``.

    Args:
        out: The folder that ``grade`` wrote.
        db: Address of the gradebook; ``<out>/gradebook.db`` when None.
        progress: Whether to show a progress bar when the comparison takes long.

    Returns:
        The page's path.
    """
    out = Path(out)
    path = out / "report.html"
    results.write_whole(path, page(out, db, progress))
    return path


def page(out: Path, db: str | None = None, progress: bool = True) -> str:
    """The report as HTML."""
    everyone = results.everyone(out)
    sections = {slug: _assignment(slug, out, judged, db, progress) for slug, judged in everyone.items()}
    unsandboxed = {slug: names for slug in everyone if (names := _unsandboxed(out, slug))}
    now = datetime.datetime.now().astimezone()
    submissions = sum(map(len, everyone.values()))
    contents = "".join(
        f'<li><a href="#{slug}">{shown(statement(_release(out, slug)).title or slug)}</a>: '
        f"{plural(len(judged), 'submission')}</li>" for slug, judged in everyone.items()
    )
    body = [
        "<header><h1>Class report</h1>",
        f'<p class="soft">{plural(submissions, "submission")} to {plural(len(everyone), "assignment")}. Written '
        f'<time datetime="{now.isoformat(timespec="seconds")}">{now:%Y-%m-%d %H:%M %Z}</time> by neuralnotes '
        f"{version('neuralnotes')}.</p>",
        _danger(unsandboxed, everyone),
        f'<nav aria-label="Assignments"><ul>{contents}</ul></nav>' if len(everyone) > 1 else "",
        "</header><main>", *(sections.values() or ["<p>Nothing has been graded into this folder yet.</p>"]), "</main>",
    ]
    digest = base64.b64encode(hashlib.sha256(SCRIPT.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'; base-uri 'none'"
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>Class report</title>'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{STYLE}</style></head>\n'
        f"<body>{''.join(body)}<script>{SCRIPT}</script></body></html>\n"
    )


def shown(text: str, limit: int = 0) -> str:
    """A text of a student's as HTML: escaped, on one line, without characters that cannot be seen."""
    text = " ".join(text.split()) or ("\N{OPEN BOX}" * len(text))
    if limit and len(text) > limit:
        text = text[:limit] + "\N{HORIZONTAL ELLIPSIS}"
    # joiners belong to names and emoji; other invisible characters turn lines around, or are no characters at all
    seen = (c if c.isprintable() or c in "\u200c\u200d" else c.encode("unicode_escape").decode() for c in text)
    return html.escape("".join(seen))


def code(name: str) -> str:
    """A name of a function as HTML; a narrow column may break it after an underscore."""
    return f"<code>{shown(name, 60).replace('_', '_<wbr>')}</code>"


def duration(seconds: float) -> str:
    return f"{seconds:.3g} s" if seconds >= 1 else f"{1000 * seconds:.2g} ms"


def plural(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def _release(out: Path, slug: str) -> dict:
    return json.loads((out / "release" / slug / f"{slug}.ipynb").read_text(encoding="utf-8"))


def _unsandboxed(out: Path, slug: str) -> list[str]:
    return [name for name, entry in results.index(out, slug).items() if not entry["sandboxed"]]


def _danger(unsandboxed: dict[str, list[str]], everyone: dict) -> str:
    if not unsandboxed:
        return ""
    which = "; ".join(f"{slug}: {len(names)} of {len(everyone[slug])}" for slug, names in unsandboxed.items())
    return (
        f'<div class="danger" role="note"><p>NOT SANDBOXED: {which} submissions were graded without a sandbox. While '
        "their code ran it could read and change what the person who graded can. Grade them again on a machine that "
        "has one before you rely on these marks.</p></div>"
    )


def _assignment(slug: str, out: Path, everyone: dict[str, dict], db: str | None, progress: bool) -> str:
    from .grade import gradebook_id

    records = tasks.assignment(slug)
    release = statement(_release(out, slug))
    top = sum(task.points for task in records)
    marks = totals(everyone)
    names = {gradebook_id(name): name for name in everyone}
    pairs, common = similarity.compare(slug, out, progress)
    sandboxes = collections.Counter(judged["sandbox"] for judged in everyone.values())
    where = "; ".join(f"{shown(box)} ({count})" for box, count in sandboxes.most_common())
    return "".join([
        f'<section id="{slug}"><h2>{shown(release.title or slug)}</h2>',
        f'<p class="soft">Assignment <code>{slug}</code>. Student code ran in: {where}.</p>',
        _overview(everyone, marks, top),
        "<h3>Who needs a look</h3>", _look(needs_a_look(everyone, _unsandboxed(out, slug))),
        "<h3>Suspiciously alike</h3>", _alike(pairs, common, names),
        "<h3>Written answers</h3>", _written(waiting(slug, out, db), names),
        "<h3>Misconceptions of the class</h3>", _mistakes(records, everyone, release),
        "<h3>Tasks</h3>", _tasks(records, everyone),
        "<h3>Tasks that do not discriminate</h3>", _items(records, everyone),
        "<h3>Marks</h3>", _marks(slug, out, records, everyone, marks, top),
        "</section>\n",
    ])


def _table(
    label: str, head: list[str], rows: Iterable[list[str]], numbers: Iterable[int] = (), long: Iterable[int] = (),
    kind: str = "sortable",
) -> str:
    """A table whose first column names the row. The cells are HTML."""
    numbers, long = set(numbers), set(long)
    style = [' class="n"' if i in numbers else ' class="long"' if i in long else "" for i in range(len(head))]
    heads = "".join(f'<th scope="col"{kind}>{cell}</th>' for kind, cell in zip(style, head, strict=True))
    lines = "".join(
        f'<tr><th scope="row">{row[0]}</th>'
        + "".join(f"<td{kind}>{cell}</td>" for kind, cell in zip(style[1:], row[1:], strict=True))
        + "</tr>"
        for row in rows
    )
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{label}"><table class="{kind}">'
        f"<thead><tr>{heads}</tr></thead><tbody>{lines}</tbody></table></div>"
    )


def _overview(everyone: dict[str, dict], marks: dict[str, float], top: float) -> str:
    if not marks:
        return "<p>No submissions.</p>"
    there = tried(everyone)
    ordered = sorted(marks[name] for name in there)
    boxes = [(f"{len(everyone):,}", "submissions"), (f"{len(everyone) - len(there):,}", "with nothing to judge")]
    if ordered:
        boxes += [(f"{median(ordered):g} of {top:g}", "median of the others"),
                  (f"{ordered[0]:g} to {ordered[-1]:g}", "lowest and highest")]
    items = "".join(f"<li><b>{value}</b> {words}</li>" for value, words in boxes)
    return f'<ul class="numbers">{items}</ul>{_picture(list(marks.values()), top)}'


def _picture(marks: list[float], top: float) -> str:
    counts = histogram(marks, top)
    edges = [f"{top * i / BINS:g}" for i in range(BINS + 1)]
    parts = [f"{edges[i]} to {edges[i + 1]}: {count}" for i, count in enumerate(counts) if count]
    alt = f"Distribution of {plural(len(marks), 'mark')}, by tenths of {top:g} points. {'; '.join(parts)}."
    height, step, left, above = 110, 38, 14, 18
    bottom, width = above + height, BINS * step
    drawn = []
    for i, count in enumerate(counts):
        tall, x = round(height * count / max(counts), 1), left + i * step
        drawn.append(f'<rect x="{x + 1}" y="{bottom - tall}" width="{step - 2}" height="{tall}"/>')
        if count:
            drawn.append(f'<text x="{x + step // 2}" y="{bottom - tall - 5}">{count:,}</text>')
    drawn += [f'<text x="{left + i * step}" y="{bottom + 15}">{edge}</text>' for i, edge in enumerate(edges)]
    return (
        f'<svg viewBox="0 0 {width + 2 * left} {bottom + 36}" role="img" aria-label="{alt}">{"".join(drawn)}'
        f'<line x1="{left}" x2="{left + width}" y1="{bottom}" y2="{bottom}"/>'
        f'<text x="{left + width // 2}" y="{bottom + 31}">points, and how many students have them</text></svg>'
    )


def _fold(title: str, content: str, unfolded: bool, note: str = "") -> str:
    return f"<details{' open' if unfolded else ''}><summary>{title}</summary>{note}{content}</details>"


def _look(found: dict[str, list[tuple[str, str, str]]]) -> str:
    if not found:
        return "<p>Nobody.</p>"
    counts = "".join(
        f"<li><strong>{reason}</strong>, {plural(len({name for name, *_ in rows}), 'student')}: {LOOK_AT[reason]}</li>"
        for reason, rows in found.items()
    )
    cells = [
        [f"<bdi>{shown(name)}</bdi>", reason, code(task) if task else "whole notebook", shown(text, MAX_DETAIL)]
        for reason, rows in found.items() for name, task, text in rows
    ]
    table = _table("who needs a look", ["student", "why", "task", "what was seen"], cells, long=[3])
    return f"<ul>{counts}</ul>" + _fold("Who, and what was seen", table, len(cells) <= FOLD)


def _alike(pairs: list[similarity.Pair], common: list[similarity.Common], names: dict[str, str]) -> str:
    def name(student: str) -> str:
        return f"<bdi>{shown(names.get(student, student))}</bdi>"

    def match(one: similarity.Match) -> str:
        first, second = code(one.first), code(one.second)
        which = first if first == second else f"{first} and {second}"
        return f"{which} {one.similarity:.0%} of {one.characters:,} characters"

    parts = []
    if pairs:
        parts.append(
            "<p><strong>This proves nothing.</strong> Somebody has to read both notebooks, and to ask. The percentage "
            "says how much of a function is the same code as the other's once names, comments and layout are taken "
            "away; what was given and what many have does not count.</p>"
        )
        left = MAX_PAIRS
        for who, members in groups(pairs):
            rows = [
                [f"{name(pair.first)} and {name(pair.second)}", "; ".join(map(match, pair.matches))]
                for pair in members[:left]
            ]
            left -= len(rows)
            if not rows:
                break
            first = ", ".join(map(name, who[:8])) + (f" and {len(who) - 8} more" if len(who) > 8 else "")
            table = _table("alike", ["students", "functions that are alike"], rows, long=[1], kind="")
            parts.append(_fold(first, table, len(rows) <= OPEN))
        if len(pairs) > MAX_PAIRS:
            parts.append(f"<p>{MAX_PAIRS} pairs of {len(pairs):,}: the file <code>.alike.json</code> beside the "
                         "results has all of them.</p>")
    else:
        parts.append("<p>Nobody, beyond what many share.</p>")
    if common:
        lines = "".join(
            f"<li>{code(one.name)}: {plural(len(one.students), 'student')}</li>" for one in common
        )
        parts.append(_fold(
            f"Code that many share, in {plural(len(common), 'function')}", f"<ul>{lines}</ul>", False,
            "<p>The obvious way to write it, or something published. So many have it that nobody stands out.</p>",
        ))
    return "".join(parts)


def _written(found: dict[str, list[str]] | None, names: dict[str, str]) -> str:
    if found is None:
        return ("<p>Not in the gradebook yet. When they are, <code>python -m autograder report</code> writes this page "
                "again.</p>")
    if not found:
        return "<p>None waits for a mark.</p>"
    parts = []
    for cell, students in found.items():
        who = ", ".join(f"<bdi>{shown(names.get(student, student))}</bdi>" for student in students)
        title = f"{code(cell)}: {plural(len(students), 'answer')} to mark"
        parts.append(_fold(title, f"<p>{who}</p>", len(students) <= OPEN))
    return "".join(parts) + (
        "<p>Mark them in nbgrader's formgrader, under <em>Manual Grading</em>. An answer that was marked before its "
        "notebook was graded again keeps its mark, and waits for somebody to confirm it.</p>"
    )


def _mistakes(records: tuple[tasks.Task, ...], everyone: dict[str, dict], release: Statement) -> str:
    found = mistakes(records, everyone)
    chapters = " and ".join(f"<cite>{shown(chapter)}</cite>" for chapter in release.chapters)
    lines = []
    for mistake in found:
        words = mistake.misconception.id.replace("-", " ")
        section = release.sections.get(mistake.task.id, "")
        lines.append(
            f"<li><strong>{mistake.students} of {mistake.answers}</strong> have <strong>{shown(words)}</strong> in "
            f"{code(mistake.task.id)}{f': see “{shown(section)}” in the assignment' if section else ''}. "
            f'<span class="soft">They were told: {shown(mistake.misconception.hint)}</span></li>'
        )
    if not lines:
        text = "<p>None was recognized.</p>"
    else:
        text = f"<p>The theory is in the chapter {chapters}.</p>" if chapters else ""
        text += f'<ul class="plain">{"".join(lines[:OPEN])}</ul>'
        if len(lines) > OPEN:
            more = f'<ul class="plain">{"".join(lines[OPEN:])}</ul>'
            text += _fold(f"{plural(len(lines) - OPEN, 'rarer misconception')}", more, False)
    strange = unexplained(records, everyone)
    if strange:
        which = ", ".join(f"{code(task)} {count}" for task, count in strange.items())
        text += f"<p>Wrong in a way that no misconception on record explains: {which}. Read some of them.</p>"
    return text


def _tasks(records: tuple[tasks.Task, ...], everyone: dict[str, dict]) -> str:
    rows = []
    for task in records:
        numbers = task_numbers(task.id, everyone)
        slowest = ""
        if numbers.slowest:
            name, seconds = numbers.slowest
            slowest = f'{duration(seconds)} <span class="soft">(<bdi>{shown(name, 30)}</bdi>)</span>'
        rows.append([
            code(task.id), f"{task.points:g}", f"{numbers.mean:.2f}",
            f"{numbers.full} of {numbers.students}",
            f'{numbers.pass_rate:.0%} <span class="rate" aria-hidden="true"><i style="width:{numbers.pass_rate:.0%}">'
            "</i></span>",
            "" if numbers.median_seconds is None else duration(numbers.median_seconds), slowest,
        ])
    head = ["task", "points", "mean", "all points", "pass rate", "median time", "slowest"]
    return _table("tasks", head, rows, numbers=[1, 2, 3, 4, 5, 6])


def _items(records: tuple[tasks.Task, ...], everyone: dict[str, dict]) -> str:
    found = {task.id: item(task.id, everyone) for task in records}
    students = len(tried(everyone))
    if students < FEWEST:
        return (f"<p>{plural(students, 'student')} handed in something: too few to say. It takes {FEWEST}.</p>")
    bad = "".join(f"<li>{code(key)}: {one.problem}</li>" for key, one in found.items() if one.problem)
    rows = [[code(key), "" if one.correlation is None else number(one.correlation)]
            for key, one in found.items()]
    chance = 1.96 / math.sqrt(students - 1)
    note = (
        f"<p>Correlation of the points on a task with those on all others, over the {students} students who handed in "
        f"something. With so many, chance alone reaches ±{min(chance, 1):.2f} in 19 of 20 unrelated tasks. A task that "
        "builds on the ones before it has a high one for that reason alone.</p>"
    )
    return (f"<ul>{bad}</ul>" if bad else "<p>None stands out.</p>") + _fold(
        "Every task", _table("correlations", ["task", "correlation with the rest"], rows, numbers=[1]), False, note
    )


def _marks(slug: str, out: Path, records, everyone: dict[str, dict], marks: dict[str, float], top: float) -> str:
    from .grade import gradebook_id

    rows = []
    for name, judged in sorted(everyone.items()):
        feedback = f"feedback/{gradebook_id(name)}/{slug}/{slug}.html"
        label = f"<bdi>{shown(name)}</bdi>"
        if (out / feedback).is_file():
            label = f'<a href="{html.escape(quote(feedback))}">{label}</a>'
        scores = (judged["results"][task.id] for task in records)
        rows.append([
            label, f"<b>{marks[name]:g}</b>", *(
                "\N{EN DASH}" if r["verdict"] in NOT_TRIED else f"{r['score']:g}" for r in scores),
        ])
    head = ["student", f"total of {top:g}", *(code(task.id) for task in records)]
    note = "<p>Written answers apart. A dash stands where nothing was handed in. Click on a heading to sort.</p>"
    table = _table("marks", head, rows, numbers=range(1, len(head)), kind="sortable marks")
    return _fold(f"{plural(len(rows), 'student')}", table, len(rows) <= FOLD, note)
