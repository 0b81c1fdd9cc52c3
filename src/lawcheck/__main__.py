"""The entry of `python -m lawcheck` and of the console script."""

import sys

from lawcheck.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
