"""The course secret: made once, kept for its owner, refused when it cannot be one, and told apart from another."""

from __future__ import annotations

import os
import stat
import threading
from pathlib import Path

import numpy as np
import pytest

from autograder import secret
from neuralnotes import tasks
from neuralnotes.tasks.judging import Judge

from .helpers import SLUG


def test_made_on_first_use_for_its_owner_alone_and_the_same_ever_after(tmp_path):
    path = tmp_path / "data of the user" / "neural-notes" / "secret"
    content = secret.read_secret(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert len(content) == 64 and secret.read_secret(path) == content
    assert [p.name for p in path.parent.iterdir()] == ["secret"]
    assert secret.warning(path) == ""
    assert secret.read_secret(tmp_path / "another") != content


def test_the_default_is_the_variable_and_else_the_users_data_folder(tmp_path, monkeypatch):
    monkeypatch.setenv(secret.VARIABLE, str(tmp_path / "named"))
    assert secret.default_path() == tmp_path / "named"
    assert secret.read_secret() == secret.read_secret(tmp_path / "named")
    monkeypatch.setenv(secret.VARIABLE, "~/named")
    assert secret.default_path() == Path.home() / "named"
    monkeypatch.delenv(secret.VARIABLE)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    assert secret.default_path().parts[-2:] == ("neural-notes", "secret")


def test_two_runs_that_make_it_at_once_get_the_same(tmp_path):
    got, ready = [], threading.Barrier(8)

    def read() -> None:
        ready.wait()
        got.append(secret.read_secret(tmp_path / "secret"))

    threads = [threading.Thread(target=read) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(got) == 8 and len(set(got)) == 1


@pytest.mark.parametrize(("case", "words"), [
    ("folder", "is a folder"), ("empty", "is empty"), ("blanks", "is empty"), ("short", "only 15 characters"),
    ("large", "no course secret"), ("pipe", "no ordinary file"), ("below a file", "cannot be"),
    ("broken link", "cannot be read"), ("unreadable", "cannot be read"),
])
def test_what_cannot_be_a_secret(case, words, tmp_path):
    path = tmp_path / "secret"
    if case == "folder":
        path.mkdir()
    elif case == "pipe":
        os.mkfifo(path)
    elif case == "below a file":
        path.write_text("x")
        path = path / "secret"
    elif case == "broken link":
        path.symlink_to(tmp_path / "elsewhere")
    else:
        contents = {"blanks": " \n" * 20, "short": "x" * 15 + "\n", "large": "x" * 5000}
        path.write_text(contents.get(case, ""))
    if case == "unreadable":
        path.chmod(0)
        if os.geteuid() == 0:
            pytest.skip("root reads everything")
    with pytest.raises(secret.SecretError, match=words) as error:
        secret.read_secret(path)
    assert str(path) in str(error.value)
    assert any(what in str(error.value) for what in ("--secret", "Put the file back"))
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o606])
def test_a_warning_when_others_can_read_or_change_it(mode, tmp_path):
    path = tmp_path / "secret"
    secret.read_secret(path)
    path.chmod(mode)
    assert "chmod 600" in secret.warning(path) and f"{mode:03o}" in secret.warning(path)


def test_the_end_of_a_line_is_no_part_of_it(tmp_path):
    (tmp_path / "a").write_text("a secret of a course")
    (tmp_path / "b").write_bytes(b"a secret of a course\r\n")
    assert secret.read_secret(tmp_path / "a") == secret.read_secret(tmp_path / "b")


def hidden(seed: int) -> list[bytes]:
    task = next(task for task in tasks.assignment(SLUG) if task.id == "conv2d_forward")
    return [prepared.data for prepared in Judge(task, seed).cases if not prepared.visible]


def test_another_secret_gives_other_hidden_cases_and_the_same_one_the_same():
    one, other = secret.seed_of(b"the secret of one course"), secret.seed_of(b"the secret of another")
    assert one.bit_length() > 128
    assert hidden(one) == hidden(one)
    assert not set(hidden(one)) & set(hidden(other))
    draws = {tuple(np.random.default_rng([seed, 1]).integers(0, 2**32, 4)) for seed in (one, other, one >> 32, one + 1)}
    assert len(draws) == 4  # all of its bits count


def test_what_is_kept_beside_the_marks_tells_nothing_of_the_seed():
    content = b"the secret of one course"
    assert secret.fingerprint(content) != secret.fingerprint(b"the secret of another")
    assert secret.fingerprint(content) not in f"{secret.seed_of(content):x}"


def test_another_secret_is_refused_for_the_assignment_that_was_graded_with_the_first(tmp_path):
    first, second = b"the first secret of all", b"the second secret of all"
    secret.check_same(tmp_path, SLUG, first)  # nothing was graded
    secret.remember(tmp_path, SLUG, first)
    secret.check_same(tmp_path, SLUG, first)
    secret.check_same(tmp_path, "attention", second)
    with pytest.raises(secret.SecretError, match="--fresh") as error:
        secret.check_same(tmp_path, SLUG, second, tmp_path / "other")
    assert "--secret" in str(error.value) and str(tmp_path / "other") in str(error.value)
