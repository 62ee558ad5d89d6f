"""Reads a page each time that a line comes, and answers with its seconds and octets: the scraper of `benchmarks scrapes`."""

import sys
import time
import urllib.request


def main(url: str) -> None:
    """Serves standard input to its end."""
    print("ready", flush=True)
    for _ in sys.stdin:
        began = time.perf_counter()
        with urllib.request.urlopen(url, timeout=60) as answer:
            octets = len(answer.read())
        print(time.perf_counter() - began, octets, flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
