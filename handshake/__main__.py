"""Lets `python -m handshake` do what `handshake` does."""

from handshake.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
