from __future__ import annotations

import sys
from pathlib import Path

# The Sphinx extensions of the book are single files, found by the path that _config.yml names.
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "book" / "_extensions"))
