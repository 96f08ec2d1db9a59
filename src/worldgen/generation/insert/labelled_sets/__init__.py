"""Whole labelled sets with inserts: files of several formats, quotas, resuming, report."""
