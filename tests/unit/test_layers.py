"""Who may import whom (design, section 4)."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2] / "awf"
LEAVES = (
    "embedded",
    "analysis",
    "charts",
    "notify",
    "tickets",
    "remediation",
    "generate",
    "connectors",
    "llm",
    "stack",
    "state",
)
ALLOWED: dict[str, set[str]] = {
    "errors": set(),
    "core": {"errors"},
    "settings": {"core", "errors"},
    "orchestration": {"core", "errors"},
    "demo": {"core", "errors", "orchestration"},
    "evaluation": {
        "core",
        "errors",
        "demo",
    },  # a harness: it drives the product over HTTP, and shares nothing with it
    "agents": {"core", "errors", "analysis"},
    "mcpserver": {"core", "errors", "analysis"},
    "api": {"core", "errors"},
    **{leaf: {"core", "errors"} for leaf in LEAVES},
}
FREE = {"wiring", "testing", "cli", "__init__", "__main__"}
NO_THIRD_PARTY = ["errors.py", "core", "orchestration"]
MARKED = {
    "core/http.py",
    "orchestration/bridges/crewai.py",
    "orchestration/bridges/genai_spans.py",
    "orchestration/bridges/langchain.py",
    "orchestration/bridges/openai_agents.py",
    "orchestration/bridges/pydantic_ai.py",
    "orchestration/otel_exporter.py",
    "orchestration/remote.py",
    "orchestration/secret_tokens.py",
    "orchestration/telemetry/grpc_sender.py",
    "orchestration/telemetry/http2.py",
    "orchestration/telemetry/http_sender.py",
    "orchestration/telemetry/partial_success.py",
    "orchestration/telemetry/sdk_outlets.py",
}


def _imports(path: Path) -> set[str]:
    """Return the dotted names a file imports anywhere, relative ones resolved."""
    package = path.parent.relative_to(ROOT.parent).parts
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(package[: len(package) - node.level + 1]) if node.level else ""
            names.add(".".join(filter(None, [base, node.module])))
            if (node.module or "") in {"", "awf"}:
                names |= {".".join(filter(None, [base, node.module, alias.name])) for alias in node.names}
    return names


def _files() -> list[Path]:
    return sorted(ROOT.rglob("*.py"))


def _part(path: Path) -> str:
    first = path.relative_to(ROOT).parts[0]
    return first.removesuffix(".py")


def test_every_part_of_the_package_has_a_rule() -> None:
    assert {_part(path) for path in _files()} <= set(ALLOWED) | FREE


@pytest.mark.parametrize("part", sorted(ALLOWED))
def test_a_part_imports_only_what_its_layer_may(part: str) -> None:
    for path in _files():
        if _part(path) != part:
            continue
        for name in _imports(path):
            pieces = name.split(".")
            if pieces[0] == "awf" and len(pieces) > 1:
                assert pieces[1] in ALLOWED[part] | {part, "__version__"}, (
                    f"{path.relative_to(ROOT)} imports {name}"
                )


def test_core_and_orchestration_import_no_third_party_package() -> None:
    allowed = set(sys.stdlib_module_names) | {"awf"}
    for path in _files():
        relative = path.relative_to(ROOT).as_posix()
        if relative in MARKED or not relative.startswith(tuple(NO_THIRD_PARTY)):
            continue
        foreign = {name.split(".")[0] for name in _imports(path)} - allowed
        assert not foreign, f"{relative} imports {sorted(foreign)}"


def test_help_of_the_command_line_needs_no_third_party_package() -> None:
    block = (
        "import sys\n"
        "class Block:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        top = name.split('.')[0]\n"
        "        if top != 'awf' and top not in sys.stdlib_module_names:\n"
        "            raise ImportError(f'blocked: {name}')\n"
        "sys.meta_path.insert(0, Block())\n"
        "from awf.cli.main import main\n"
        "main(['--help'])\n"
    )
    done = subprocess.run([sys.executable, "-c", block], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert "exit codes" in done.stdout
