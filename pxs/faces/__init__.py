"""Faces with exact ground truth: people by number, expressions by action units, pictures by drawing. No torch."""
