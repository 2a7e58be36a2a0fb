"""Filters and sorts records by their keys."""

from handshake.query.keys import KEYS, Key
from handshake.query.order import order
from handshake.query.parse import Test, parse

__all__ = ["KEYS", "Key", "Test", "order", "parse"]
