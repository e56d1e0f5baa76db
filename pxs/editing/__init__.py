"""Editing: checkpoints, adapters, conditioning, the denoising loop, and `Editor`, `Portrait` and `Edits` over them."""
