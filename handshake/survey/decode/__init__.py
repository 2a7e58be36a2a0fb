"""Decode: the headers of many packets at once, in columns."""
