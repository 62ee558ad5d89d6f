"""`python -m balancer.ctl` is `balancerctl`."""

from balancer.ctl.main import entry

if __name__ == "__main__":
    entry()
