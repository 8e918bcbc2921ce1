"""The class report: one self-contained HTML page."""

from __future__ import annotations

import collections
import html
from statistics import median

from neuralnotes import tasks

STYLE = """
:root { color-scheme: light dark; --line: #8885; --good: #0072b2; --bad: #d55e00; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 70rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; width: 100%; margin: 1rem 0 2rem; }
th, td { text-align: left; padding: .3rem .6rem; border-bottom: 1px solid var(--line); vertical-align: top; }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; }
.bar { display: inline-block; height: .8em; background: var(--good); }
.warning { border: 2px solid var(--bad); padding: .6rem 1rem; }
.scroll { overflow-x: auto; }
"""


def page(slug: str, everyone: dict[str, dict]) -> str:
    """The report as HTML.

    Args:
        slug: The assignment.
        everyone: Results by student, as ``judge_notebook`` gives them.
    """
    records = tasks.assignment(slug)
    total = sum(task.points for task in records)
    marks = {name: sum(r["score"] for r in judged["results"].values()) for name, judged in everyone.items()}
    sandbox = sorted({judged["sandbox"] for judged in everyone.values()})
    body = [
        f"<h1>{html.escape(slug)}: class report</h1>",
        f"<p>{len(everyone)} submissions; {total:g} points to be had (written answers apart); "
        f"median {median(marks.values()):g}.</p>" if marks else "<p>No submissions.</p>",
        f'<p class="warning" role="note">Student code ran in a {html.escape("; ".join(sandbox))}.</p>',
        "<h2>Tasks</h2>", _tasks(records, everyone),
        "<h2>Misconceptions</h2>", _misconceptions(records, everyone),
        "<h2>Who needs a look</h2>", _attention(everyone),
        "<h2>Marks</h2>", _marks(records, everyone, marks, total),
    ]
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{html.escape(slug)}: class report</title>'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{STYLE}</style></head>'
        f"<body>{''.join(body)}</body></html>\n"
    )


def _table(head: list[str], rows: list[list[str]], numbers: set[int] = frozenset()) -> str:
    def cells(tag: str, row: list[str]) -> str:
        return "".join(
            f'<{tag}{" class=number" if i in numbers else ""}{" scope=col" if tag == "th" else ""}>{value}</{tag}>'
            for i, value in enumerate(row)
        )

    lines = "".join(f"<tr>{cells('td', row)}</tr>" for row in rows)
    return f'<div class="scroll"><table><thead><tr>{cells("th", head)}</tr></thead><tbody>{lines}</tbody></table></div>'


def _tasks(records, everyone) -> str:
    rows = []
    for task in records:
        results = [judged["results"][task.id] for judged in everyone.values()]
        full = sum(r["verdict"] == "pass" for r in results)
        rate = full / len(results) if results else 0.0
        rows.append([
            f"<code>{task.id}</code>", f"{task.points:g}", f"{full} of {len(results)}",
            f'<span class="bar" style="width:{6 * rate:.2f}rem"></span> {rate:.0%}',
            f"{sum(r['score'] for r in results) / max(len(results), 1):.2f}",
            f"{median(r['seconds'] for r in results):.3f} s" if results else "",
        ])
    return _table(["task", "points", "full marks", "pass rate", "mean points", "median time"], rows, {1, 4, 5})


def _misconceptions(records, everyone) -> str:
    rows = []
    for task in records:
        found = collections.Counter(judged["results"][task.id]["diagnosis"] for judged in everyone.values())
        for misconception in task.misconceptions:
            if found[misconception.id]:
                rows.append([
                    f"<code>{task.id}</code>", html.escape(misconception.id),
                    f"{found[misconception.id]} of {len(everyone)}", html.escape(misconception.hint),
                ])
    if not rows:
        return "<p>None was recognized.</p>"
    return _table(["task", "misconception", "students", "the hint they were given"], rows)


def _attention(everyone) -> str:
    rows = []
    for name, judged in sorted(everyone.items()):
        for result in judged["results"].values():
            if result["verdict"] in ("unreadable", "forbidden", "timeout", "memory", "error"):
                rows.append([
                    html.escape(name), f"<code>{html.escape(result['task'])}</code>", result["verdict"],
                    html.escape(result["diagnosis"][:200]),
                ])
                if result["verdict"] == "unreadable":
                    break  # one row says it for the whole notebook
    return _table(["student", "task", "verdict", "reason"], rows) if rows else "<p>Nobody.</p>"


def _marks(records, everyone, marks, total) -> str:
    rows = [
        [
            html.escape(name),
            *(f"{judged['results'][task.id]['score']:g}" for task in records),
            f"<b>{marks[name]:g}</b> of {total:g}",
        ]
        for name, judged in sorted(everyone.items())
    ]
    head = ["student", *(f"<code>{task.id}</code>" for task in records), "total"]
    return _table(head, rows, set(range(1, len(records) + 2)))
