"""What each function takes and gives."""

from __future__ import annotations

from dataclasses import dataclass

from awf.embedded.promql.syntax import Kind

_KINDS: dict[str, Kind] = {"v": "vector", "m": "matrix", "s": "scalar", "t": "string"}


@dataclass(frozen=True, slots=True)
class Signature:
    """`optional` counts how many more arguments of the last kind may follow, beyond the first left out;
    -1: any number."""

    takes: tuple[Kind, ...]
    optional: int
    gives: Kind

    @property
    def fewest(self) -> int:
        return len(self.takes) - (1 if self.optional else 0)

    @property
    def most(self) -> float:
        if self.optional < 0:
            return float("inf")
        return self.fewest + self.optional if self.optional else len(self.takes)

    def kind_of(self, index: int) -> Kind:
        return self.takes[min(index, len(self.takes) - 1)]


def _group(spelled: str, names: str) -> dict[str, Signature]:
    """Read `takes>gives`, v vector, m range vector, s scalar, t string; `?` after the arguments: the last may
    be left out, `*`: it may come any number of times, a digit: so many times."""
    takes, _, gives = spelled.partition(">")
    optional = {"?": 1, "*": -1}.get(takes[-1:], 0) or (int(takes[-1]) if takes[-1:].isdigit() else 0)
    kinds = tuple(_KINDS[letter] for letter in takes.rstrip("?*0123456789"))
    return {name: Signature(kinds, optional, _KINDS[gives]) for name in names.split()}


SIGNATURES: dict[str, Signature] = {
    **_group("v>v", """abs absent acos acosh asin asinh atan atanh ceil cos cosh deg exp floor histogram_avg
        histogram_count histogram_stddev histogram_stdvar histogram_sum ln log10 log2 rad sgn sin sinh sort
        sort_desc sqrt start_timestamp tan tanh timestamp"""),
    **_group("v?>v", "day_of_month day_of_week day_of_year days_in_month hour minute month year"),
    **_group("v>s", "scalar"),
    **_group("s>v", "vector"),
    **_group(">s", "end pi range start step time"),
    **_group("ss>s", "max_of min_of"),
    **_group("m>v", """absent_over_time avg_over_time changes count_over_time delta deriv first_over_time idelta
        increase irate last_over_time mad_over_time max_over_time min_over_time present_over_time rate resets
        stddev_over_time stdvar_over_time sum_over_time ts_of_first_over_time ts_of_last_over_time
        ts_of_max_over_time ts_of_min_over_time"""),
    **_group("ms>v", "predict_linear"),
    **_group("mss>v", "double_exponential_smoothing holt_winters"),
    **_group("sm>v", "quantile_over_time"),
    **_group("sv>v", "histogram_quantile"),
    **_group("ssv>v", "histogram_fraction"),
    **_group("vtss9>v", "histogram_quantiles"),
    **_group("vs>v", "clamp_max clamp_min"),
    **_group("vss>v", "clamp"),
    **_group("vs?>v", "round"),
    **_group("vv?>v", "info"),
    **_group("vtttt>v", "label_replace"),
    **_group("vttt*>v", "label_join"),
    **_group("vt*>v", "sort_by_label sort_by_label_desc"),
}  # fmt: skip
