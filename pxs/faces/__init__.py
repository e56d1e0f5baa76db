"""Synthetic faces with exact ground truth: a seed gives the identity, action units give the expression. No torch."""
