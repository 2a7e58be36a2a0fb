"""Crafts packets field by field, right or wrong, and takes packets apart."""
