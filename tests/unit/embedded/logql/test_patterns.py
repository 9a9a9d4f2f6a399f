from awf.embedded.logql.patterns import MAX_CLUSTERS, mask, mine

from ._memory import MINUTE, T0, demo_records


def mined(*lines: str) -> list[tuple[str, int]]:
    found = mine(((T0, line, {"level": "info"}) for line in lines), MINUTE)
    return [(cluster.pattern, cluster.samples.total()) for cluster in found]


def test_what_varies_is_masked() -> None:
    line = "at 2026-01-31T12:00:00.5Z id 550e8400-e29b-41d4-a716-446655440000 trace 4bf92f3577b34da6 0xff took 15ms 3%"
    assert " ".join(mask(line)) == "at <_> id <_> trace <_> <_> took <_> <_>"


def test_words_that_look_like_hex_stay() -> None:
    assert mask("feed the defaced facade step2") == ["feed", "the", "defaced", "facade", "step2"]


def test_lines_alike_become_one_pattern_with_counts_by_step() -> None:
    lines = [(item.timestamp_ns, item.line, item.labels) for item in demo_records()]
    clusters = mine(lines, MINUTE)
    assert [(cluster.pattern, cluster.level) for cluster in clusters] == [
        ("Step search completed in <_> ms", "info"),
        ("Step search failed: agent unavailable in <_> ms", "error"),
    ]
    assert dict(clusters[0].samples) == {T0: 4, T0 + MINUTE: 4}


def test_words_that_differ_become_wildcards() -> None:
    assert mined(
        "agent writer failed now", "agent searcher failed now", "other thing entirely different"
    ) == [
        ("agent <_> failed now", 2),
        ("other thing entirely different", 1),
    ]


def test_the_number_of_patterns_is_bounded() -> None:
    words = [f"{chr(97 + n % 26)}{chr(97 + n // 26 % 26)}{chr(97 + n // 676)} event" for n in range(1_000)]
    assert len(mined(*words)) <= MAX_CLUSTERS


def test_empty_and_endless_lines_are_survived() -> None:
    assert mined("", "   ") == []
    ((pattern, count),) = mined("x " * 10_000)
    assert pattern.endswith("<_>")
    assert count == 1
