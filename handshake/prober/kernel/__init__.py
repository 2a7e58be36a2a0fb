"""Connections that the kernel makes by connect(), without any privilege."""
