"""The redactor that the settings ask for, and where it keeps what may be revealed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from awf.core.counters import Counters
from awf.core.redact import Redactor
from awf.errors import ConfigError
from awf.orchestration.secret_tokens import SecretTokenStore
from awf.settings import Settings

STORE = "masked-secrets"
HINT = "docs/redaction.md describes what can be configured."

_PATTERNS = TypeAdapter(dict[str, str])


class RedactFile(BaseModel):
    """What `AWF_REDACT_FILE` holds."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    patterns: dict[str, str] = {}
    secret_names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RedactRules:
    """Everything that is masked beyond what the redactor knows by itself."""

    patterns: Mapping[str, str] = field(default_factory=dict)
    secret_names: tuple[str, ...] = ()


def build_redactor(settings: Settings, counters: Counters | None = None) -> Redactor:
    """Return the redactor of the telemetry bridge. Raises ConfigError, MissingDependency, DataDirError."""
    rules = redact_rules(settings)
    tokens = None
    if settings.redact_reversible:
        tokens = secret_token_store(settings, counters)
        tokens.open()
    return Redactor(rules.patterns, secret_names=rules.secret_names, tokens=tokens, counters=counters)


def build_mask(settings: Settings) -> Callable[[str], str]:
    """Return what masks secrets in a text for good: nothing that it hides can be revealed. Raises ConfigError."""
    rules = redact_rules(settings)
    return Redactor(rules.patterns, secret_names=rules.secret_names).text


def secret_token_store(settings: Settings, counters: Counters | None = None) -> SecretTokenStore:
    """Return the store of this data directory. Raises MissingDependency."""
    return SecretTokenStore(settings.data_dir / STORE, counters=counters)


def redact_rules(settings: Settings) -> RedactRules:
    """Return the file's rules and those of the variables, which win. Raises ConfigError."""
    told = _file(settings.redact_file) if settings.redact_file else RedactFile()
    names = [name for each in settings.redact_secret_names.split(",") if (name := each.strip())]
    return RedactRules({**told.patterns, **_patterns(settings)}, (*told.secret_names, *names))


def _patterns(settings: Settings) -> dict[str, str]:
    if not settings.redact_patterns.strip():
        return {}
    try:
        return _PATTERNS.validate_json(settings.redact_patterns)
    except ValidationError as error:
        raise ConfigError(
            f"AWF_REDACT_PATTERNS={settings.redact_patterns!r}: {_first(error)}",
            hint='Write a JSON object of names and patterns, with \\\\ for each backslash: {"employee": "EMP-\\\\d+"}.',
        ) from error


def _file(path: Path) -> RedactFile:
    import yaml

    try:
        return RedactFile.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")) or {})
    except OSError as error:
        raise ConfigError(f"AWF_REDACT_FILE={path} cannot be read: {error.strerror}", hint=HINT) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"AWF_REDACT_FILE={path} is not YAML: {error}", hint=HINT) from error
    except ValidationError as error:
        raise ConfigError(f"AWF_REDACT_FILE={path}: {_first(error)}", hint=HINT) from error


def _first(error: ValidationError) -> str:
    first = error.errors()[0]
    place = ".".join(str(part) for part in first["loc"])
    return f"{place}: {first['msg']}" if place else first["msg"]
