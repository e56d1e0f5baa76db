"""Encoders: frozen networks that embed pictures, for training losses and for maps. They never score a result."""
