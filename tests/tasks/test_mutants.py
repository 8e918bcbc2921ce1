"""Small slips in the solutions must cost points: see ``tests.mutation``."""

from __future__ import annotations

import pytest

from neuralnotes import tasks
from tests.mutation import mutants, survivors
from tests.tasks.equivalent_mutants import EQUIVALENT

SHARE = 0.02


@pytest.mark.slow
@pytest.mark.parametrize("slug", tasks.ASSIGNMENTS)
def test_hardly_a_mutant_keeps_full_marks(slug):
    count, alive = survivors(slug)
    holes = [f"{m.task}: {m.change}" for m in alive if m.change not in EQUIVALENT.get(m.task, {})]
    assert count > 100
    assert len(holes) <= SHARE * count, holes


def test_mutants_change_one_thing():
    source = "def double(x):\n    y = 2 * x\n    return y + 0\n"
    changes = {mutant.change for mutant in mutants("toy", "double", source)}
    assert "y = 2 * x  |  2 -> 3" in changes
    assert "y = 2 * x  |  2 * x -> 2 / x" in changes
    assert "return y + 0  |  y + 0 -> y - 0" in changes
    assert "dropped: y = 2 * x" in changes
    assert all(mutant.source != source for mutant in mutants("toy", "double", source))
