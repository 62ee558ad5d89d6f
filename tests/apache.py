"""The real Apache around the delivered virtual host, with its ports and folders elsewhere."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[1]
VHOST: Final = (ROOT / "conf" / "apache-vhost.conf").read_text()
MODULES: Final = Path("/usr/lib/apache2/modules")
LOADED: Final = (
    "mpm_event", "authz_core", "dir", "mime", "filter", "deflate", "headers", "rewrite", "proxy", "proxy_http",
)  # fmt: skip


@contextmanager
def readable_folder() -> Iterator[Path]:
    """A folder that Apache's own user can read: pytest's are private to the one who runs it."""
    made = Path(tempfile.mkdtemp(prefix="balancer-apache-"))
    made.chmod(0o755)
    yield made
    shutil.rmtree(made)


def apache_file(folder: Path, port: int, balancer_port: int) -> str:
    """A server around the delivered virtual host."""
    modules = "".join(f"LoadModule {name}_module {MODULES}/mod_{name}.so\n" for name in LOADED)
    user = "User www-data\nGroup www-data\n" if os.geteuid() == 0 else ""
    vhost = VHOST.replace("*:80>", f"127.0.0.1:{port}>").replace("127.0.0.1:8080", f"127.0.0.1:{balancer_port}")
    vhost = vhost.replace("/var/www/seaside", str(folder / "www")).replace("${APACHE_LOG_DIR}", str(folder))
    assert str(balancer_port) in vhost
    return (
        f'ServerRoot "{folder}"\nListen 127.0.0.1:{port}\nPidFile {folder}/apache.pid\nErrorLog {folder}/error.log\n'
        f"DefaultRuntimeDir {folder}\nMutex file:{folder}\nServerName localhost\n{modules}{user}"
        f"TypesConfig /etc/mime.types\n"
        'LogFormat "%h %l %u %t \\"%r\\" %>s %O" combined\n'
        "StartServers 1\nThreadsPerChild 25\n<Directory />\n    Require all denied\n</Directory>\n"
        f"{vhost}"
    )
