"""The instructor's side: release assignments, collect and grade submissions, report to the class."""

import sys

# jsonschema imports this to check one format that no notebook has; building its grammar takes seconds in every process
sys.modules.setdefault("rfc3987_syntax", None)
