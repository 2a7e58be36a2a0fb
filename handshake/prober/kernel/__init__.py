"""Calls that the kernel makes, for those without the right to send segments of their own."""
