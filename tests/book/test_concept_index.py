"""The concept index: the list it reads, the labels it finds, what stops the build."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from concept_index import COLUMNS, TOPICS, Concept, find_duplicates, find_labels, read_concepts

CONCEPTS = Path(__file__).resolve().parents[2] / "book" / "concepts.csv"


def write(path: Path, *rows: dict[str, str], columns: tuple[str, ...] = COLUMNS) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        writer.writerows(rows)
    return path


def row(**changes: str) -> dict[str, str]:
    return {"id": "chain-rule", "seed": "aa2", "section": "05-backprop-autodiff | aa2 1.2", "concept": "Chain rule",
            "kind": "formula", "check": "Numeric check"} | changes


def test_the_list_of_the_book_is_complete():
    concepts = read_concepts(CONCEPTS)
    assert len(concepts) == 320
    assert {concept.topic for concept in concepts} == set(TOPICS)
    assert len(TOPICS) == 22


def test_a_row_is_split_into_topic_and_place_in_the_notes(tmp_path):
    (concept,) = read_concepts(write(tmp_path / "concepts.csv", row()))
    assert concept == Concept("chain-rule", "05-backprop-autodiff", "Chain rule", "aa2 1.2")


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([row(), row()], "the id 'chain-rule' is used twice"),
        ([row(section="5-backprop | aa2")], "unknown topic '5-backprop'"),
        ([row(section="05-backprop-autodiff")], "section must read"),
        ([row(concept=" ")], "every column needs a value"),
    ],
)
def test_a_bad_row_is_named(tmp_path, rows, message):
    path = write(tmp_path / "concepts.csv", *rows)
    with pytest.raises(ValueError, match=message) as error:
        read_concepts(path)
    assert f"{path}, line" in str(error.value)


def test_a_missing_column_is_named(tmp_path):
    path = write(tmp_path / "concepts.csv", columns=("id", "seed", "section", "kind", "check"))
    with pytest.raises(ValueError, match="column concept is missing"):
        read_concepts(path)


def test_labels_are_found_with_their_lines():
    text = "(page)=\n# Title\n\n(chain-rule)=\n(other.label)=\nText (not-this)= here.\n"
    assert find_labels(text) == [("page", 1), ("chain-rule", 4), ("other.label", 5)]


def test_labels_in_code_do_not_count_and_labels_in_directives_do():
    text = (
        "```python\n(in-code)=\n```\n"
        "```{code-cell} ipython3\n(in-cell)=\n```\n"
        "````{note}\n(in-note)=\n```text\n(in-example)=\n```\n````\n"
        ":::{tip}\n(in-tip)=\n:::\n"
        "````md\n```{note}\n(in-shown-source)=\n```\n````\n"
        "(after)=\n"
    )
    assert [label for label, _ in find_labels(text)] == ["in-note", "in-tip", "after"]


def test_two_passages_for_one_concept_are_named(tmp_path):
    concepts = [Concept("chain-rule", "05-backprop-autodiff", "Chain rule", "aa2 1.2")]
    first, second = tmp_path / "first.md", tmp_path / "second.md"
    first.write_text("(chain-rule)=\n# One\n\n(free-label)=\nText.\n", encoding="utf-8")
    second.write_text("# Two\n\n(free-label)=\nText.\n\n(chain-rule)=\nText.\n", encoding="utf-8")
    assert find_duplicates([first], concepts) == []
    (message,) = find_duplicates([first, second], concepts)
    assert message == f"(chain-rule)= stands in {first}, line 1 and in {second}, line 6"


def test_twice_on_one_page_is_a_duplicate_too(tmp_path):
    concepts = [Concept("chain-rule", "05-backprop-autodiff", "Chain rule", "aa2 1.2")]
    page = tmp_path / "page.md"
    page.write_text("(chain-rule)=\nText.\n\n(chain-rule)=\nText.\n", encoding="utf-8")
    assert len(find_duplicates([page], concepts)) == 1
