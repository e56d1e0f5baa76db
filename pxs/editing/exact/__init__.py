"""Exact savings: the same pictures with less work, one file each, each tested equal to plain diffusers."""
