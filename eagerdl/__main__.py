"""`python -m eagerdl` is the command `eagerdl`."""

import sys

from eagerdl.cli import main

if __name__ == "__main__":
    sys.exit(main())
