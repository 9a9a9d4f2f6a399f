from __future__ import annotations

from awf.analysis.log_patterns import MAX_PATTERNS, changes, mask, patterns


def test_what_varies_is_masked() -> None:
    line = 'took 12.5 ms id 5f0c9a1b2c3d4e5f 123e4567-e89b-12d3-a456-426614174000 said "no way" -3 v2'
    assert mask(line) == "took <*> ms id <*> <*> said <*> <*> v2"


def test_words_that_look_like_hex_stay() -> None:
    assert mask("deadbeef feedface facade") == "deadbeef feedface facade"


def test_lines_of_one_kind_become_one_pattern() -> None:
    found = patterns([f"agent writer failed in {n} ms: 502" for n in range(9)] + ["workflow started"])
    assert [(each.text, each.count) for each in found] == [
        ("agent writer failed in <*> ms: <*>", 9),
        ("workflow started", 1),
    ]


def test_a_differing_word_becomes_a_wildcard() -> None:
    found = patterns(
        ["step draft of workflow report is slow today", "step check of workflow report is slow today"]
    )
    assert [each.text for each in found] == ["step <*> of workflow report is slow today"]


def test_new_and_surging_kinds_are_found_and_steady_ones_are_not() -> None:
    before = ["cache miss 1", "cache miss 2", "login ok user=a"] * 2
    after = [*before, *["disk full on /data"] * 4, *["login ok user=a"] * 9]
    found = changes(before, after)
    assert [(each.text, each.before, each.after, each.is_new) for each in found] == [
        ("login ok user=a", 2, 11, False),
        ("disk full on /data", 0, 4, True),
    ]


def test_patterns_are_bounded_whatever_the_log_holds() -> None:
    words = [" ".join(chr(97 + (n * k) % 26) * (k + 2) for k in range(1, 9)) + f" w{n}x" for n in range(2000)]
    assert len(patterns([*words, "", "\n"])) <= MAX_PATTERNS


def test_a_hostile_line_is_masked_without_backtracking() -> None:
    assert mask('"' * 20_001 + "1" * 20_000 + "g").endswith("g")  # would not end if it were quadratic
