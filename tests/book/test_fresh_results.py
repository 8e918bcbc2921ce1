"""Which library files stand behind a page, so that its results are dropped when one of them changes."""

from __future__ import annotations

from pathlib import Path

import pytest
from fresh_results import imported_names, library_files, page_digest, page_source

PAGE = """# Title

```{code-cell} ipython3
:tags: [hide-input]

%matplotlib inline
from neuralnotes import losses
```

Text, and code that is only shown:

```python
from neuralnotes import data
```

````{code-cell} ipython3
---
tags: [remove-input]
---
import numpy as np
````
"""


@pytest.fixture
def library(tmp_path: Path) -> Path:
    package = tmp_path / "neuralnotes"
    (package / "tasks").mkdir(parents=True)
    files = {
        "__init__.py": "",
        "losses.py": "from neuralnotes.activations import softmax\n",
        "activations.py": "import torch\n",
        "data.py": "",
        "checking.py": "from . import tasks\nfrom .tasks.judging import Judge\n",
        "tasks/__init__.py": "from importlib import import_module\n",
        "tasks/judging.py": "from ..data import moons\n",
        "tasks/backprop.py": "from .judging import Judge\n",
    }
    for name, text in files.items():
        (package / name).write_text(text, encoding="utf-8")
    return tmp_path


def names(paths: set[Path]) -> set[str]:
    return {"/".join(path.parts[path.parts.index("neuralnotes") + 1:]) for path in paths}


def test_only_the_cells_of_a_page_count():
    source = page_source(PAGE)
    assert "from neuralnotes import losses" in source and "import numpy" in source
    assert "data" not in source and "tags" not in source and "%" not in source


def test_relative_imports_start_at_their_package():
    assert list(imported_names("from . import a\nfrom .b import c\nfrom ..d import e", "neuralnotes.tasks")) == [
        "neuralnotes.tasks.a", "neuralnotes.tasks.b.c", "neuralnotes.d.e"]


def test_a_module_brings_what_it_imports(library):
    expected = {"__init__.py", "losses.py", "activations.py"}
    assert names(library_files("from neuralnotes import losses", library)) == expected


def test_every_file_of_a_package_counts(library):
    # its modules may be imported by computed names
    expected = {"__init__.py", "tasks/__init__.py", "tasks/judging.py", "tasks/backprop.py", "data.py"}
    assert names(library_files("import neuralnotes.tasks", library)) == expected
    assert names(library_files("from neuralnotes import checking", library)) == expected | {"checking.py"}


def test_other_libraries_do_not_count(library):
    assert library_files("import numpy\nfrom torch import nn", library) == set()
    assert page_digest("# A page without cells\n", library, library) == ""


@pytest.mark.parametrize(("changed", "same"), [("activations.py", False), ("losses.py", False), ("data.py", True)])
def test_the_digest_follows_the_files_behind_the_page(library, changed, same):
    before = page_digest(PAGE, library, library)
    path = library / "neuralnotes" / changed
    path.write_text(path.read_text(encoding="utf-8") + "# edited\n", encoding="utf-8")
    assert (page_digest(PAGE, library, library) == before) is same


def test_the_digest_follows_the_data_that_the_page_names(tmp_path):
    page = """```{code-cell} ipython3\nimport json\nruns = json.load(open("../runs/some.json"))\n```\n"""
    (tmp_path / "runs").mkdir()
    (tmp_path / "book").mkdir()
    results = tmp_path / "runs" / "some.json"
    digests = []
    for content in (None, "1", "2", "2"):
        if content:
            results.write_text(content, encoding="utf-8")
        digests.append(page_digest(page, tmp_path / "lib", tmp_path / "book"))
    assert digests[0] == "" and digests[1] != digests[2] == digests[3]
