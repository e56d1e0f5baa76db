"""How fast the package is: editing, training, approximate ways, and storage."""
