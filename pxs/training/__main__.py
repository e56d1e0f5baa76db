"""`accelerate launch -m pxs.training --data FILE --out DIR`: `pxs train`, in as many processes as accelerate starts."""

import sys

from pxs.cli import main

sys.exit(main(["train", *sys.argv[1:]]))
