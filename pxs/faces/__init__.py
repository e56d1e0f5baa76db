"""Faces with exact ground truth: people by number, expressions by action units, drawn or rendered. No torch."""
