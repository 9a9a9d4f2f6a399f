"""Rules over stored metrics: recording rules, alerts, silences and the webhook that tells of them."""

from awf.embedded.ruler.ruler import Ruler, RulerConfig

__all__ = ["Ruler", "RulerConfig"]
