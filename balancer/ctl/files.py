"""A file that is exchanged for a new one in one move: who reads it finds the old text or the new one, never a part."""

import os
import tempfile


def replace_file(path: str, text: str) -> None:
    """Puts the text in the place of the file. Raises OSError; then the file is as it was, and nothing else is left behind."""
    folder, name = os.path.split(path)
    descriptor, beside = tempfile.mkstemp(prefix=f".{name}-", dir=folder or ".")
    try:
        with open(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, path)
    except BaseException:
        os.unlink(beside)
        raise
