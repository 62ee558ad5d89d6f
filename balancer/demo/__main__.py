"""`python -m balancer.demo`: the images alone, with `run` the whole demonstration, with `tell` a fault for it."""

import sys

from balancer.demo.main import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
