"""Faces with exact ground truth: people by number, expressions by action units, drawn or rendered. No torch."""

RENDERED = "person"
"""The style of rendered people, beside the drawn styles "human" and "anime"; their domain is "human"."""
