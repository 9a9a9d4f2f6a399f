"""The model that may advise the watcher, when the settings name one."""

from __future__ import annotations

from awf.agents.advising import Adviser
from awf.core.ports import Playbook, Remediation
from awf.errors import ConfigError
from awf.llm.advisor import ModelAdvisor, ModelConfig
from awf.settings import Settings
from awf.wiring.redaction import build_mask


def adviser_of(settings: Settings, playbook: Playbook, remediation: Remediation) -> Adviser | None:
    """Return the adviser; None without AWF_LLM_MODEL. Raises ConfigError, MissingDependency."""
    if not settings.llm_model:
        return None
    key = settings.secret("llm_api_key")
    if not key and not settings.llm_base_url:
        raise ConfigError(
            f"AWF_LLM_MODEL={settings.llm_model} needs AWF_LLM_API_KEY",
            hint="Without a key, AWF_LLM_BASE_URL says where a model of your own answers.",
        )
    config = ModelConfig(
        model=settings.llm_model,
        provider=settings.llm_provider,
        base_url=settings.llm_base_url,
        api_key=key,
        timeout_s=settings.llm_timeout_s,
    )
    return Adviser(ModelAdvisor(config), playbook, remediation.actions, build_mask(settings))
