"""Capture files, read and written; no socket."""
