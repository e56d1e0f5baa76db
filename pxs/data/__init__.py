"""Data: rows in the FFE format, tasks of a bench, and both made from synthetic faces."""
