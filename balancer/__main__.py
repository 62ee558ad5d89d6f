"""`python -m balancer`: the program as the interpreter at hand runs it."""

import sys

from balancer.main import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], sys.stdout, sys.stderr))
