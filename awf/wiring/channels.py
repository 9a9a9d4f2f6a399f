"""The channels by which people are told: the log, a webhook by its setting, and those of a file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, SecretStr, ValidationError, field_validator

from awf.agents.telling import Channel
from awf.core.decision_links import DecisionLinks
from awf.core.incidents import SEVERITIES
from awf.core.notices import NoticeKind
from awf.core.ports import Buttons
from awf.core.registry import discover
from awf.core.secret_file import read_secret
from awf.errors import AwfError, ConfigError
from awf.notify import NotifierSpec, Options
from awf.notify.slack import SlackOptions, buttons_of
from awf.remediation.matching import HINT, read_file
from awf.settings import Settings
from awf.wiring.personal import PersonalNotifier


class _Entry(BaseModel):
    """What every channel has; the rest are options of its type."""

    model_config = ConfigDict(extra="allow", frozen=True, hide_input_in_errors=True)

    type: str
    name: str = ""
    kinds: frozenset[NoticeKind] = frozenset(NoticeKind)
    severities: frozenset[str] = frozenset()
    decides: str = ""

    @field_validator("severities")
    @classmethod
    def _are_known(cls, severities: frozenset[str]) -> frozenset[str]:
        if odd := severities - {*SEVERITIES, "none"}:
            raise ValueError(f"there is no severity {min(odd)!r} ({', '.join(SEVERITIES)}, none)")
        return severities


@dataclass(frozen=True, slots=True)
class Channels:
    """The channels by name, and the buttons of those that have some."""

    by_name: Mapping[str, Channel]
    buttons: Buttons | None = None


def channels_of(settings: Settings, links: DecisionLinks | None = None) -> Channels:
    """Return what the settings and the file name. Raises ConfigError naming the channel that is wrong."""
    specs = discover("awf.notify", NotifierSpec)
    found: dict[str, Channel] = {}
    slack: list[SlackOptions] = []
    for number, entry in enumerate(_entries(settings)):
        try:
            channel, options = _channel(entry, specs, links)
        except (ValidationError, AwfError) as error:
            raise ConfigError(f"channel {_which(number, entry)}: {_said(error)}", hint=HINT) from error
        if channel.name in found:
            raise ConfigError(
                f"two channels are named {channel.name!r}", hint="Give one of them another `name`."
            )
        found[channel.name] = channel
        if isinstance(options, SlackOptions):
            slack.append(options)
    return Channels(found, buttons_of(slack))


def _entries(settings: Settings) -> list[Any]:
    entries: list[Any] = [{"type": "log"}]
    if settings.oncall_webhook_url:
        entries.append({"type": "webhook", "url": settings.oncall_webhook_url})
    if settings.channels_file is not None:
        entries += read_file(settings.channels_file, "file of channels", ("channels",))["channels"]
    return entries


def _channel(
    entry: Any, specs: Mapping[str, NotifierSpec], links: DecisionLinks | None
) -> tuple[Channel, Options]:
    common = _Entry.model_validate(entry)
    spec = specs.get(common.type)
    if spec is None:
        raise ConfigError(f"there is no type {common.type!r} ({', '.join(specs)})")
    options = spec.options.model_validate(_with_secrets(common.model_extra or {}, spec))
    notifier = spec.open(options)
    if common.decides and links is not None:
        notifier = PersonalNotifier(notifier, common.decides, links)
    return Channel(common.name or common.type, notifier, common.kinds, common.severities), options


def _with_secrets(given: Mapping[str, Any], spec: NotifierSpec) -> dict[str, Any]:
    """Replace `NAME_file` by what is in the file, for options that are secrets."""
    options = dict(given)
    for name, field in spec.options.model_fields.items():
        path = options.pop(f"{name}_file", None) if field.annotation is SecretStr else None
        if path is not None:
            options[name] = read_secret(Path(str(path)), f"{name}_file {path}")
    return options


def _which(number: int, entry: Any) -> str:
    name = (entry.get("name") or entry.get("type")) if isinstance(entry, dict) else None
    return f"{name or number}"


def _said(error: Exception) -> str:
    if isinstance(error, ValidationError):
        first = error.errors()[0]
        return f"{'.'.join(map(str, first['loc'])) or 'the entry'}: {first['msg']}"
    return str(error)
