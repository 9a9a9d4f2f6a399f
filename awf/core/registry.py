"""Adding a thing is adding a file: find the `SPEC` of every module in a folder, then of third parties."""

from __future__ import annotations

import importlib
import pkgutil
from importlib.metadata import entry_points
from types import ModuleType
from typing import TypeVar

from awf.errors import ConfigError

T = TypeVar("T")


def discover(package: str, expected: type[T]) -> dict[str, T]:
    """Return name -> SPEC of all modules in `package` and of the entry-point group of the same name.

    A module whose name begins with an underscore is skipped. A SPEC's `name` is its module's name.
    Raises ConfigError naming the file that has no SPEC, a wrong one, or a name that is taken.
    """
    found: dict[str, T] = {}
    root = importlib.import_module(package)
    for info in pkgutil.iter_modules(root.__path__):
        if not info.name.startswith("_"):
            _add(found, _import(f"{package}.{info.name}"), info.name, expected)
    for point in entry_points(group=package):
        loaded = point.load()
        _add(found, loaded, point.name, expected)
    return dict(sorted(found.items()))


def _import(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except (ImportError, SyntaxError) as error:
        raise ConfigError(
            f"{name} cannot be imported: {error}", hint="Mend the file or move it away."
        ) from error


def _add(found: dict[str, T], module: ModuleType | object, name: str, expected: type[T]) -> None:
    spec = getattr(module, "SPEC", module)
    where = getattr(module, "__file__", None) or f"entry point {name}"
    if not isinstance(spec, expected):
        raise ConfigError(
            f"{where} has no SPEC of type {expected.__name__}",
            hint=f"Assign SPEC = {expected.__name__}(...) at the end of the module.",
        )
    spec_name = getattr(spec, "name", name)
    if spec_name != name:
        raise ConfigError(
            f"{where}: SPEC is named {spec_name!r}, the file {name!r}", hint="Give both one name."
        )
    if name in found:
        raise ConfigError(f"{where}: the name {name!r} is taken", hint="Rename one of the two.")
    found[name] = spec
