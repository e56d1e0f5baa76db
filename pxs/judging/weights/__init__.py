"""The weights of the embedded judges."""

from pathlib import Path

WEIGHTS = Path(__file__).parent
