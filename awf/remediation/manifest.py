"""The manifest of a script action: what it is called, given, allowed and judged by (YAML beside the executable)."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Final, Literal

import yaml
from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator
from referencing import Registry

from awf.errors import ConfigError

HINT: Final = "docs/watcher-agent-configuration.md describes the manifest of a script."
SCRIPT: Final = "script_sha256"  # the argument by which an approval binds the program too
OWN_VARIABLES: Final = frozenset({"PATH", "HOME", "TMPDIR", "LANG"})

Variable = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", max_length=128)]


class PromqlCheck(BaseModel):
    """It helped when every value of the expression is below (or above) a bound that it was not within before."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    promql: str = Field(min_length=1, max_length=2_000)
    below: float | None = None
    above: float | None = None

    @model_validator(mode="after")
    def _has_one_bound(self) -> PromqlCheck:
        if (self.below is None) == (self.above is None):
            raise ValueError("give either `below` or `above`")
        return self

    def holds(self, value: float) -> bool:
        return (self.below is not None and value < self.below) or (
            self.above is not None and value > self.above
        )


class Manifest(BaseModel):
    """What a manifest says. `command` and `undo` are programs in its folder; `parameters` is a JSON Schema, whose
    properties are filled from the place of the cause (by the names of its parts) or from their `default`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern=r"^[a-z][a-z0-9_]{0,62}$")
    description: str = Field(min_length=1, max_length=500)
    blast_radius: str = Field(min_length=1, max_length=200)
    command: str = Field(min_length=1, max_length=200)
    undo: str = Field("", max_length=200)
    parameters: dict[str, Any] = Field(default_factory=lambda: {"type": "object"})
    verify: Literal["steps", "none"] | PromqlCheck = "none"
    timeout_s: float = Field(30.0, gt=0, le=600)
    memory_mb: int = Field(256, ge=16, le=16_384)
    output_kb: int = Field(64, ge=1, le=1_024)
    network: bool = False
    environment: tuple[Variable, ...] = ()

    @model_validator(mode="after")
    def _is_consistent(self) -> Manifest:
        if own := [each for each in self.environment if each.startswith("AWF_") or each in OWN_VARIABLES]:
            # AWF's hold its tokens.
            raise ValueError(f"environment: {own[0]} is not handed on")
        if SCRIPT in self.properties:
            raise ValueError(f"parameters: {SCRIPT} is AWF's own")
        if self.verify == "steps" and not {"workflow_id", "step_id"} <= set(self.properties):
            raise ValueError("verify: steps needs the parameters workflow_id and step_id")
        return self

    @property
    def properties(self) -> dict[str, Any]:
        found = self.parameters.get("properties", {})
        return found if isinstance(found, dict) else {}

    def validator(self) -> Draft202012Validator:
        """Return what checks arguments. It fetches no schema from anywhere."""
        closed = {"additionalProperties": False, **self.parameters, "type": "object"}
        return Draft202012Validator(closed, registry=Registry())


def read_manifest(path: Path) -> Manifest:
    """Read a manifest. Raises ConfigError naming the file and the field that is wrong."""
    try:
        manifest = Manifest.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
        Draft202012Validator.check_schema(manifest.parameters)
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"the manifest {path} cannot be read: {error}", hint=HINT) from error
    except yaml.YAMLError as error:
        raise ConfigError(f"the manifest {path} is not YAML: {error}", hint=HINT) from error
    except SchemaError as error:
        raise ConfigError(
            f"the manifest {path}: parameters is no JSON Schema: {error.message}", hint=HINT
        ) from error
    except ValidationError as error:
        found = error.errors()  # of a field with several forms, our own words say most
        first = next((each for each in found if each["type"] == "value_error"), found[0])
        where = ".".join(map(str, first["loc"])) or "the manifest"
        raise ConfigError(f"the manifest {path}: {where}: {first['msg']}", hint=HINT) from error
    if manifest.name != path.stem:
        raise ConfigError(
            f"the manifest {path} is for {manifest.name!r}, its file says {path.stem!r}",
            hint="Give both one name.",
        )
    return manifest
