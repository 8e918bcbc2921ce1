"""Tests of the grader. They never write into the user's home, and all runs of them see the same hidden cases."""

import os
import tempfile
from pathlib import Path

# here, before any other module of the tests looks at the environment: the programs that they start inherit it
_folder = tempfile.TemporaryDirectory(prefix="secret-")
_secret = Path(_folder.name) / "secret"
_secret.write_text("the tests' own course secret\n")
_secret.chmod(0o600)
os.environ["NEURALNOTES_SECRET"] = str(_secret)
