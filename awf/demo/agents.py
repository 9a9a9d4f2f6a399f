"""The demo's agents: frameworks, providers, models and habits as a mixed team would have them."""

from __future__ import annotations

from awf.core.types import AgentId, AgentManifest, Capability, CapabilityType
from awf.demo.world import Profile


def _agent(  # noqa: PLR0913 - a row of the table below
    name: str,
    version: str,
    framework: str,
    kind: CapabilityType,
    trust: float,
    *,
    latency_ms: float,
    llm: tuple[str, str] = ("", ""),
    tokens: tuple[int, int] = (0, 0),
    dependency: str = "",
    description: str,
) -> Profile:
    manifest = AgentManifest(
        id=AgentId(name),
        name=name.replace("-", " ").capitalize(),
        version=version,
        description=description,
        framework=framework,
        capabilities=(Capability(name, kind, description),),
        trust_score=trust,
    )
    return Profile(manifest, latency_ms, *llm, *tokens, dependency)


_GENERATION, _REASONING = CapabilityType.GENERATION, CapabilityType.REASONING
_RETRIEVAL, _TOOL = CapabilityType.RETRIEVAL, CapabilityType.TOOL

PROFILES = (
    _agent("planner-llm", "2.1.0", "langgraph", _REASONING, 0.93, latency_ms=320,
           llm=("openai", "gpt-5-mini"), tokens=(900, 220), description="Breaks a task into steps."),
    _agent("planner-backup", "1.4.2", "langgraph", _REASONING, 0.88, latency_ms=380,
           llm=("mistral", "mistral-medium-3"), tokens=(900, 240), description="Plans when the planner cannot."),
    _agent("web-search", "3.0.1", "python", _RETRIEVAL, 0.97, latency_ms=260, dependency="search-index",
           description="Searches the web."),
    _agent("page-fetcher", "1.9.0", "python", _TOOL, 0.98, latency_ms=180, dependency="egress-proxy",
           description="Fetches pages."),
    _agent("publisher", "1.0.5", "python", _TOOL, 0.99, latency_ms=130, dependency="postgres",
           description="Puts reports where readers find them."),
    _agent("writer-llm", "4.2.0", "crewai", _GENERATION, 0.91, latency_ms=640,
           llm=("anthropic", "claude-sonnet-4-5"), tokens=(3200, 850), description="Writes drafts."),
    _agent("writer-backup", "4.0.3", "crewai", _GENERATION, 0.86, latency_ms=700,
           llm=("google", "gemini-2.5-pro"), tokens=(3200, 900), description="Writes when the writer cannot."),
    _agent("fact-checker", "1.2.0", "pydantic-ai", _REASONING, 0.95, latency_ms=360,
           llm=("google", "gemini-2.5-flash"), tokens=(2100, 180), description="Checks claims against sources."),
    _agent("triage-llm", "2.7.1", "openai-agents", _REASONING, 0.92, latency_ms=210,
           llm=("openai", "gpt-5-mini"), tokens=(650, 60), description="Classifies tickets."),
    _agent("local-llm", "0.9.4", "python", _GENERATION, 0.78, latency_ms=520,
           llm=("local", "llama-3.3-8b"), tokens=(1400, 300), description="A small model on our own machine."),
    _agent("crm-lookup", "5.1.0", "python", _TOOL, 0.99, latency_ms=90, dependency="postgres",
           description="Finds customers and their contracts."),
    _agent("kb-search", "2.2.0", "pydantic-ai", _RETRIEVAL, 0.96, latency_ms=170, dependency="search-index",
           description="Searches the knowledge base."),
    _agent("reviewer-llm", "3.3.0", "openai-agents", _REASONING, 0.94, latency_ms=560,
           llm=("mistral", "mistral-medium-3"), tokens=(2600, 420), description="Reviews text and code."),
    _agent("repo-reader", "2.4.0", "python", _TOOL, 0.99, latency_ms=120, dependency="egress-proxy",
           description="Reads repositories and their changes."),
    _agent("linter", "8.2.0", "python", _TOOL, 0.99, latency_ms=240,
           description="Checks style and types."),
    _agent("security-scanner", "6.0.0", "python", _TOOL, 0.97, latency_ms=340,
           description="Looks for known weaknesses."),
)  # fmt: skip
