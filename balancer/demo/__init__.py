"""Ten embedded images that behave like Seaside on the wire, and the runner behind `make run`.

Stands alone: nothing here imports the balancer, so that a test of the balancer never tests it with itself, and the images run
where only Python is. `Image` is for tests; `python -m balancer.demo` for people.
"""

from balancer.demo.image import Image, ImageState
from balancer.demo.site import Counters
from balancer.demo.wire import KOM, SWAZOO, WebServer

__all__ = ["KOM", "SWAZOO", "Counters", "Image", "ImageState", "WebServer"]
