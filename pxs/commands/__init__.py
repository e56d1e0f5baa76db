"""The commands of `pxs`, a file each: `add` declares a command and its flags, `run` does it.

What a command needs beyond argparse and the vocabulary is imported when it runs, so that `pxs --help` is quick.
"""
