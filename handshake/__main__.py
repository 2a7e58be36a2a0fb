"""Lets `python -m handshake` do what `handshake` does."""

from handshake.cli import main

raise SystemExit(main())
