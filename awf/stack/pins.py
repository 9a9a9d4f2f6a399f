"""The versions that `compose.yaml` names: its block `x-images`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from awf.errors import ConfigError

HINT = "Name it: awf stack versions --file path/to/compose.yaml"


@dataclass(frozen=True, slots=True)
class Pin:
    """One image: `repository:tag`, and `@digest` where somebody added it."""

    repository: str
    tag: str
    digest: str = ""

    @classmethod
    def parse(cls, text: str) -> Pin:
        """Raises ConfigError for an image without a tag."""
        name, _, digest = text.partition("@")
        repository, colon, tag = name.rpartition(":")
        if not colon or "/" in tag or not tag:
            raise ConfigError(f"the image {text!r} has no tag", hint="Write it as grafana/loki:3.7.8.")
        return cls(repository, tag, digest)


def read_pins(path: Path) -> dict[str, Pin]:
    """Return the images by the name of their program. Raises ConfigError."""
    import yaml

    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}", hint=HINT) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not YAML: {error}", hint=HINT) from error
    images = document.get("x-images") if isinstance(document, dict) else None
    if not isinstance(images, dict) or not all(isinstance(text, str) for text in images.values()):
        raise ConfigError(
            f"{path} has no block x-images of names and images",
            hint="It is the one at the root of the repository.",
        )
    return {str(name): Pin.parse(text) for name, text in images.items()}
