"""`python -m awf`."""

import sys

from awf.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
