"""`python -m pxs`: the command `pxs`; `accelerate launch -m pxs train ...` runs it in several processes."""

import sys

from pxs.cli import main

sys.exit(main())
