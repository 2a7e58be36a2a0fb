"""Renderables for rich: what the commands print and show, one a module."""
