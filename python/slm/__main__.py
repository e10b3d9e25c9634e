"""`python -m slm` is the same as `slm`."""

import sys

from slm.cli import main

sys.exit(main())
