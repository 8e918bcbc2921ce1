"""The instructor's side: release assignments, collect and grade submissions, report to the class."""
