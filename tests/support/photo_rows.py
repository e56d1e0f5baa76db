"""Rows for a training on photographs, and the command that trains on them."""

from pxs.data.ffe import write


def train_command(rows, folder, steps):
    """The arguments of `pxs train` on these rows, which are written to `folder`."""
    write(folder / "photos.jsonl", rows, pictures="/")
    data, out = str(folder / "photos.jsonl"), str(folder / "out")
    return ["train", "--pictures", "/", "--data", data, "--out", out, "--steps", str(steps)]
