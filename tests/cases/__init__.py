"""Captures of situations that are easily explained wrongly, and what they prove."""
