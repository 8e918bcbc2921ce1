"""The course secret: a file outside the repository from which the hidden cases are drawn.

Whoever can read the repository knows how cases are made, and without the secret not which ones. The same file gives the
same cases to every student of a run and to a regrade; another course has another file. Only the judge ever sees it: a
kernel is sent arguments of calls, never the seed.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import stat
import tempfile
from pathlib import Path

import platformdirs

from .assignments import CannotStart

VARIABLE = "NEURALNOTES_SECRET"
MIN_BYTES, MAX_BYTES = 16, 4096  # of a file's content without the white space around it, and of a file


class SecretError(CannotStart):
    """The secret cannot be used; the message names the file and says what to do."""


def default_path() -> Path:
    """Where the secret is when nobody says otherwise: ``$NEURALNOTES_SECRET``, or in the user's data folder."""
    named = os.environ.get(VARIABLE)
    return Path(named).expanduser() if named else platformdirs.user_data_path("neural-notes") / "secret"


def read_secret(path: Path | str | None = None) -> bytes:
    """Read the secret; make the file on first use, for its owner alone.

    Args:
        path: The file; ``default_path()`` when None.

    Raises:
        SecretError: It cannot be made or read, is no ordinary file, too short to be a secret, or too long.
    """
    path = default_path() if path is None else Path(path)
    try:
        # exists() takes a broken link for nothing, and the file would be made at its other end
        if not path.exists() and not path.is_symlink():
            _make(path)
        mode = path.stat().st_mode
        if not stat.S_ISREG(mode):  # a device or a pipe could go on for ever
            kind = "a folder" if stat.S_ISDIR(mode) else "no ordinary file"
            raise SecretError(f"{path}: the course secret has to be a file, and this is {kind}; {_WAYS_OUT}")
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise SecretError(f"{path}: the course secret cannot be read: {error.strerror}; {_WAYS_OUT}") from error
    if len(content) > MAX_BYTES:
        raise SecretError(f"{path}: more than {MAX_BYTES} bytes is no course secret; {_WAYS_OUT}")
    content = content.strip()  # an editor may add a line's end
    if len(content) < MIN_BYTES:
        what = f"only {len(content)} characters long" if content else "empty"
        raise SecretError(
            f"{path}: the course secret is {what}, at least {MIN_BYTES} are needed. Put the file back as it was; if "
            "nothing has been graded with it yet, delete it, and the next run makes a new one"
        )
    return content


_WAYS_OUT = f"give another one with --secret FILE or in ${VARIABLE}"


def _make(path: Path) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor, partial = tempfile.mkstemp(prefix=f"{path.name}.", dir=path.parent)  # for its owner alone
        try:
            with os.fdopen(descriptor, "w") as file:
                file.write(secrets.token_hex(32) + "\n")
            os.link(partial, path)  # unlike a rename, it leaves the file of another run that was a moment faster
        except FileExistsError:
            pass
        finally:
            os.unlink(partial)
    except OSError as error:
        raise SecretError(f"{path}: the course secret cannot be made here: {error.strerror}; {_WAYS_OUT}") from error


def warning(path: Path | str | None = None) -> str:
    """What is wrong with the permissions of the secret's file, and what to do; "" when nothing is."""
    path = default_path() if path is None else Path(path)
    mode = path.stat().st_mode & 0o777
    if not mode & 0o077:
        return ""
    return f"{path}: other users can read or change the course secret (mode {mode:03o}); run `chmod 600 {path}`"


def seed_of(secret: bytes) -> int:
    """The seed of the hidden cases, for ``np.random.default_rng([seed, n])``: 256 bits."""
    return int.from_bytes(hashlib.sha256(b"neural-notes: hidden cases\n" + secret).digest(), "big")


def fingerprint(secret: bytes) -> str:
    """What may be kept beside the marks to know the secret again. Nothing of it or of the seed can be told from it."""
    return hashlib.sha256(b"neural-notes: fingerprint\n" + secret).hexdigest()[:32]


def check_same(out: Path, slug: str, secret: bytes, path: Path | str | None = None) -> None:
    """Refuse a secret other than the one with which this assignment was graded into ``out``.

    Raises:
        SecretError: It is another one.
    """
    known = remembered(out, slug)
    if known and known != fingerprint(secret):
        raise SecretError(
            f"{default_path() if path is None else path}: {slug} was graded into {out} with another course secret, and "
            "other hidden cases could give other marks. Point --secret to the file of that time, or judge everybody "
            "again with this one: --fresh, without --student"
        )


def remembered(out: Path, slug: str) -> str:
    """Fingerprint of the secret with which this assignment was graded into ``out``; "" when it never was."""
    path = Path(out) / "results" / f"{slug}.secret"
    return path.read_text(encoding="ascii", errors="replace").strip() if path.is_file() else ""


def remember(out: Path, slug: str, secret: bytes) -> None:
    """Keep the fingerprint in ``out``, where ``check_same`` looks for it."""
    if remembered(out, slug) == fingerprint(secret):
        return
    path = Path(out) / "results" / f"{slug}.secret"
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.part")
    partial.write_text(fingerprint(secret) + "\n", encoding="ascii")
    partial.replace(path)
