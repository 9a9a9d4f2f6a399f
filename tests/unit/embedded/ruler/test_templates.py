"""Templates, numbers and fingerprints, against what Prometheus prints."""

from __future__ import annotations

import math

import pytest

from awf.embedded.ruler.durations import format_duration, parse_duration_ms
from awf.embedded.ruler.labels import fingerprint
from awf.embedded.ruler.templates import compile_template, format_exponent, format_value


@pytest.mark.parametrize(
    ("template", "value", "text"),
    [
        ("plain { text }", 1, "plain { text }"),
        ("{{ $value }}", 1, "1"),
        ("{{$value}}", 0.25, "0.25"),
        ("{{ $value }}", 1e20, "100000000000000000000"),
        ("{{ $value }}", 1e21, "1e+21"),
        ("{{ $value }}", 1e-5, "1e-05"),
        ("{{ $value }}", 123456789.5, "123456789.5"),
        ("{{ $value }}", math.inf, "+Inf"),
        ("{{ $value }}", math.nan, "NaN"),
        ("{{ $value | humanize }}", 0, "0"),
        ("{{ $value | humanize }}", 999, "999"),
        ("{{ $value | humanize }}", 1234567, "1.235M"),
        ("{{ $value | humanize }}", -1500, "-1.5k"),
        ("{{ $value | humanize }}", 0.0012, "1.2m"),
        ("{{ $value | humanize }}", -math.inf, "-Inf"),
        ("{{ $value | humanizePercentage }}", 0.12345, "12.35%"),
        ("{{ $value | humanizePercentage }}", math.nan, "NaN%"),
        ("{{ $value | humanizeDuration }}", 0, "0s"),
        ("{{ $value | humanizeDuration }}", 0.0345, "34.5ms"),
        ("{{ $value | humanizeDuration }}", 12.3456, "12.35s"),
        ("{{ $value | humanizeDuration }}", 3661, "1h 1m 1s"),
        ("{{ $value | humanizeDuration }}", -90061, "-1d 1h 1m 1s"),
        ("{{ $value | humanizeDuration }}", 61, "1m 1s"),
        ('{{ $value | printf "%.2f" }} s', 1.005, "1.00 s"),
        ('{{ $value|printf "%.0f%% of %%" }}', 42.4, "42% of %"),
        ("{{ $labels.agent_id }}/{{ $labels.missing }}.", 1, "{{ $value }}/."),
    ],
)
def test_template_renders_as_prometheus_does(template: str, value: float, text: str) -> None:
    assert compile_template(template).render({"agent_id": "{{ $value }}"}, value) == text


@pytest.mark.parametrize(
    "template",
    [
        "{{ $labels }}", "{{ .Value }}", '{{ query "up" }}', "{{ $value | humanize1024 }}", "{{ $value",
        '{{ $value | printf "%d" }}', '{{ $value | printf "%.2f %.2f" }}', "{{ $labels.a | humanize }}",
        "{{ if $value }}x{{ end }}", "{{- $value -}}", "{{ $value | humanize | humanize }}", "{{}}",
        "{{ $externalLabels.a }}", '{{ $value | printf "%999f" }}',
    ],
)  # fmt: skip
def test_other_constructs_are_refused_by_name(template: str) -> None:
    with pytest.raises(ValueError, match=r"not supported|never closes"):
        compile_template(template)


@pytest.mark.parametrize(
    ("value", "text"),
    [(1.0, "1e+00"), (0.0, "0e+00"), (-0.5, "-5e-01"), (123.25, "1.2325e+02"), (1e100, "1e+100"),
     (10.0, "1e+01"), (math.nan, "NaN")],
)  # fmt: skip
def test_exponent_form_is_gos(value: float, text: str) -> None:
    assert format_exponent(value) == text


def test_value_form_round_trips() -> None:
    for value in (0.1, 1 / 3, 1e-4, 12345.678, 5e-324, 1.7976931348623157e308):
        assert float(format_value(value)) == value


@pytest.mark.parametrize(
    ("text", "milliseconds"),
    [("0", 0), ("30s", 30_000), ("1h30m", 5_400_000), ("1d", 86_400_000), ("5ms", 5)],
)
def test_duration_is_read(text: str, milliseconds: int) -> None:
    assert parse_duration_ms(text) == milliseconds


@pytest.mark.parametrize("text", ["", "5", "m", "1m1h", "1.5m", "-1m", "1 m"])
def test_wrong_duration_is_named(text: str) -> None:
    with pytest.raises(ValueError, match="is not a duration"):
        parse_duration_ms(text)


def test_duration_is_written_in_units() -> None:
    assert [format_duration(ms) for ms in (0, 2000, 90_000, 14_400_000, 1500)] == [
        "0s", "2s", "1m30s", "4h", "1s500ms",
    ]  # fmt: skip


def test_fingerprint_is_fnv1a_over_sorted_labels() -> None:
    # The value of Prometheus' common/model: LabelSet{}.Fingerprint() is the offset basis.
    assert fingerprint({}) == "cbf29ce484222325"
    assert fingerprint({"b": "2", "a": "1"}) == fingerprint({"a": "1", "b": "2"})
    assert fingerprint({"ab": "c"}) != fingerprint({"a": "bc"})
    assert len(fingerprint({"alertname": "é"})) == 16
