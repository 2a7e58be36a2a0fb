"""Filters and sorts records by their keys."""
