"""Calls that are made by hand: over one link, with all that has to be kept of each."""
