"""The layers know each other in one direction only; every import in the package is read and held against the table."""

import ast
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).resolve().parents[2]
PACKAGE: Final = ROOT / "balancer"

# Lowest first. A module imports from its own layer and from lower ones. The first name that fits, from the left, decides.
LAYERS: Final[tuple[tuple[str, tuple[str, ...]], ...]] = (
    ("units", ("units", "config.units")),
    ("model", ("logbook", "logtargets", "model", "rulebook")),
    ("config", ("config",)),
    ("http", ("http",)),
    ("backend", ("backend",)),
    ("proxy", ("proxy",)),
    ("observe", ("observe",)),
    ("admin", ("admin",)),
    (
        "process",
        (
            "arguments",
            "daemon",
            "form",
            "limits",
            "messages",
            "privileges",
            "process",
            "service",
            "socketdiag",
            "sockets",
            "states",
            "takeover",
        ),
    ),
    ("main", ("assembly", "main", "__main__")),
)

# Narrower than "every lower layer": the layers in which a module of this one may import, beside its own.
ONLY: Final[dict[str, frozenset[str]]] = {
    "units": frozenset(),
    "model": frozenset({"units"}),
    "config": frozenset({"units", "model"}),
    "http": frozenset(),
}

# These import nothing of ours but themselves, and nobody imports them.
ALONE: Final = ("ctl", "demo")

# Of the libraries that the project stands on, the layers in which they may appear; sans-I/O layers see none of them.
LIBRARIES: Final[dict[str, frozenset[str]]] = {
    "aiohttp": frozenset({"admin", "process"}),
    "asyncio": frozenset({"backend", "proxy", "observe", "admin", "process", "main"}),
    "multidict": frozenset({"http", "proxy", "observe", "admin"}),
    "prometheus_client": frozenset({"observe", "admin"}),
    "rich": frozenset(),
    "uvloop": frozenset({"proxy", "process", "main"}),
}


def module_name(path: Path) -> str:
    """The dotted name of a file below the package, without the package's own: "http.head"."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def layer_of(name: str) -> str | None:
    """The layer of a module, longest entry first; None for one that is in no row."""
    rows = [(entry, layer) for layer, entries in LAYERS for entry in entries]
    fitting = [(len(entry), layer) for entry, layer in rows if name == entry or name.startswith(f"{entry}.")]
    return max(fitting)[1] if fitting else None


def is_alone(name: str) -> bool:
    """Whether a module belongs to what stands beside the layers."""
    return name.split(".")[0] in ALONE


def ours(path: Path) -> list[tuple[int, str]]:
    """Line and name of each module of ours that a file imports, wherever in the file that is written."""
    found: list[tuple[int, str]] = []
    for node in ast.walk(ast.parse(path.read_text(), str(path))):
        if isinstance(node, ast.Import):
            found += [(node.lineno, alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: imports are written in full"
            source = node.module or ""
            for alias in node.names:
                full = f"{source}.{alias.name}"
                found.append((node.lineno, full if is_module(full) else source))
    return [(line, name.removeprefix("balancer").lstrip(".")) for line, name in found if name.split(".")[0] == "balancer"]


def is_module(dotted: str) -> bool:
    """Whether that dotted name is a file or a folder of the checkout."""
    path = ROOT.joinpath(*dotted.split("."))
    return path.is_dir() or path.with_suffix(".py").is_file()


def libraries(path: Path) -> list[tuple[int, str]]:
    """Line and top name of each import of a library that the table names."""
    found: list[tuple[int, str]] = []
    for node in ast.walk(ast.parse(path.read_text(), str(path))):
        if isinstance(node, ast.Import):
            found += [(node.lineno, alias.name.split(".")[0]) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            found.append((node.lineno, (node.module or "").split(".")[0]))
    return [(line, name) for line, name in found if name in LIBRARIES]


def is_allowed(layer: str, imported: str) -> bool:
    """Whether a module of `layer` may import from the layer `imported`."""
    order = [name for name, _ in LAYERS]
    if layer == imported:
        return True
    if layer in ONLY:
        return imported in ONLY[layer]
    return order.index(imported) < order.index(layer)


FILES: Final = sorted(path for path in PACKAGE.rglob("*.py") if module_name(path))


@pytest.mark.parametrize("path", FILES, ids=module_name)
def test_a_module_imports_only_from_its_own_layer_and_lower_ones(path: Path) -> None:
    name = module_name(path)
    for line, imported in ours(path):
        place = f"{path.relative_to(ROOT)}:{line}: {name} imports balancer.{imported}"
        if is_alone(name):
            assert imported.split(".")[0] == name.split(".")[0], f"{place}, but {name} stands alone"
        elif imported:
            layer, other = layer_of(name), layer_of(imported)
            assert other is not None, f"{place}, which is in no layer"
            assert layer is not None, f"{place}, but {name} is in no layer"
            assert is_allowed(layer, other), f"{place}: {layer} must not know {other}"


@pytest.mark.parametrize("path", FILES, ids=module_name)
def test_every_module_is_in_a_layer_or_stands_alone(path: Path) -> None:
    name = module_name(path)
    assert is_alone(name) or layer_of(name), f"{path.relative_to(ROOT)} is in no row of LAYERS in {Path(__file__).name}"


@pytest.mark.parametrize("path", FILES, ids=module_name)
def test_a_library_is_used_only_in_its_layers(path: Path) -> None:
    name = module_name(path)
    if is_alone(name):
        return
    for line, library in libraries(path):
        layers = LIBRARIES[library]
        assert layer_of(name) in layers, f"{path.relative_to(ROOT)}:{line}: {library} has no place in {name}"


def test_benchmarks_measure_from_outside() -> None:
    micro = ROOT / "benchmarks" / "micro"  # functions alone are called, so they are imported
    for path in (path for path in (ROOT / "benchmarks").rglob("*.py") if path.parent != micro):
        assert not ours(path), f"{path.relative_to(ROOT)} imports the balancer; it measures the installed program from outside"


def test_a_wrong_import_would_be_seen(tmp_path: Path) -> None:
    source = tmp_path / "head.py"
    source.write_text("def late():\n    from balancer import model\n    import balancer.proxy.exchange\n")
    assert ours(source) == [(2, "model"), (3, "proxy.exchange")]
    assert not is_allowed("http", "model")
    assert not is_allowed("backend", "proxy")
    assert not is_allowed("config", "http")
    assert is_allowed("proxy", "http")
    assert layer_of("config.units") == "units"
    assert layer_of("config.reader") == "config"
