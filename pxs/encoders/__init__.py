"""Encoders: frozen networks that give vectors for training losses and for maps. They never score a result."""
