"""`python -m msdnet` is the command `msdnet`."""

import sys

from msdnet.cli import main

sys.exit(main())
