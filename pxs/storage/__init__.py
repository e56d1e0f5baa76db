"""Storage: files that appear whole or not at all, training states, provenance, and downloads from the hub."""
