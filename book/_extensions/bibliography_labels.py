"""A bibliography that is labeled as the text cites it: `Bahdanau et al., 2015`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from string import ascii_lowercase

from pybtex.database import Entry
from pybtex.plugin import register_plugin
from pybtex.style.formatting.unsrt import Style as UnsortedStyle
from pybtex.style.labels import BaseLabelStyle
from sphinx.application import Sphinx


def author_year(entry: Entry) -> str:
    people = entry.persons.get("author") or entry.persons.get("editor") or []
    names = [" ".join(str(part) for part in [*p.rich_prelast_names, *p.rich_last_names]) for p in people]
    if len(names) > 2:
        who = f"{names[0]} et al."
    else:
        who = " and ".join(names) or entry.fields.get("title", entry.key)
    return f"{who}, {entry.fields.get('year', 'n.d.')}"


class AuthorYearLabels(BaseLabelStyle):
    def format_labels(self, sorted_entries: list[Entry]) -> Iterator[str]:
        labels = [author_year(entry) for entry in sorted_entries]
        total, seen = Counter(labels), Counter()
        for label in labels:
            yield label + ascii_lowercase[seen[label]] if total[label] > 1 else label
            seen[label] += 1


class AuthorYearStyle(UnsortedStyle):
    default_sorting_style = "author_year_title"
    default_label_style = "neuralnotes_author_year"


def setup(app: Sphinx) -> dict[str, object]:
    register_plugin("pybtex.style.labels", "neuralnotes_author_year", AuthorYearLabels)
    register_plugin("pybtex.style.formatting", "neuralnotes", AuthorYearStyle)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
