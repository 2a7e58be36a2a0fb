"""Draws what the rest of the package knows: rich renderables, one a module."""
