"""What a log query returns: filters, parsers, formats and where labels come from."""

import pytest

from awf.embedded.logql import Engine, LogEntry

from ._memory import MINUTE, T0, MemoryLogs, demo_records, record

SELECT = '{service_name="awf-demo"} '


def entries(query: str, *records: object) -> list[LogEntry]:
    reader = MemoryLogs(records or demo_records())  # type: ignore[arg-type]
    result = Engine(reader).range(query, T0, T0 + 10 * MINUTE, MINUTE, limit=1000, newest_first=False)
    return result.entries  # type: ignore[union-attr]


def parsed(stages: str, line: str, **metadata: str) -> dict[str, str]:
    (entry,) = entries(SELECT + stages, record(0, line, **metadata))
    return entry.parsed


@pytest.mark.parametrize(
    ("stages", "count"),
    [
        ("", 12),
        ('|= "failed"', 4),
        ('!= "failed"', 8),
        ('|= "failed" or "1100 ms"', 4),
        ('|= "failed" or "100 ms"', 5),
        ('!= "failed" or "100 ms"', 7),
        ('|~ "in [0-9]{3} ms"', 9),
        ('!~ "in [0-9]{3} ms" |= ""', 3),
        ('|~ "(?i)STEP.*FAILED"', 4),
        ('| agent_id="searcher"', 6),
        ('| agent_id=~"sear.*"', 6),
        ('| agent_id=~"sear"', 0),
        ('| agent_id!~"sear.*"', 6),
        ('| error_type=""', 8),
        ('| error_type!="", agent_id="searcher"', 2),
        ('| error_type="AgentError" and agent_id="searcher" or execution_id="exec-0"', 3),
        ('| trace_id="' + "0" * 31 + 'b"', 1),
        ('| regexp "in (?P<took>\\\\d+) ms" | took > 900', 2),
        ('| pattern "<_> in <took> ms" | took <= 200', 3),
        ("| took > 5", 0),
        ('|> "Step <_> failed: <_> in <_> ms"', 4),
        ('|> "Step <_> failed<_>"', 4),
        ('|> "<_> failed"', 0),
        ('|> "Step search completed in <_> ms" or "<_> unavailable in <_>"', 12),
        ('!> "<_> failed: <_>"', 8),
        ('!> "<_> failed: <_>" or "<_> 0 ms"', 7),
    ],
)
def test_filters(stages: str, count: int) -> None:
    assert len(entries(SELECT + stages)) == count


@pytest.mark.parametrize(
    ("pattern", "line", "fits"),
    [
        ("", "", True), ("", "x", False), ("<_>", "x", True), ("<_>", "", False), ("a", "a", True),
        ("a", "ab", False), ("a<_>", "a", False), ("a<_>", "ab", True), ("<_>a", "a", False), ("<_>a", "ba", True),
        ("<_> bar", "foo bar baz", False), ("<_> bar <_>", " bar ", False), ("<_>bar<_>", " bar ", True),
        ("foo <_> baz", "foo  baz", False), ("foo <_> baz", "a foo bar baz", True), ("<_>é<_>", "aéb", True),
    ],
)  # fmt: skip
def test_a_pattern_filter_leaves_no_gap_empty(pattern: str, line: str, fits: bool) -> None:
    assert len(entries(SELECT + f"|> `{pattern}`", record(0, line))) == fits
    assert len(entries(SELECT + f"!> `{pattern}`", record(0, line))) == (not fits)


@pytest.mark.parametrize(
    ("pattern", "line", "found"),
    [
        ("10.0.0.1", "from 10.0.0.1:80", True), ("10.0.0.1", "from 10.0.0.11", False),
        ("10.0.0.0/8", "a 9.1.1.1 b 10.255.0.1", True), ("10.0.0.0/8", "10.0.0", False),
        ("192.168.4.5/16", "192.168.0.9", True), ("10.0.0.3-10.0.0.5", "x=10.0.0.4", True),
        ("10.0.0.3-10.0.0.5", "x=10.0.0.6", False), ("::1", "peer ::1 left", True), ("::1", "peer ::2", False),
        ("2001:db8::/32", "[2001:db8::8a2e:370:7334]:443", True), ("10.0.0.1", "no address é 10.0.0.1", True),
        ("10.0.0.1", "", False), ("10.0.0.1", "010.0.0.1", False), ("10.0.0.1", "1.2.3.4.5 10.0.0.1", True),
    ],
)  # fmt: skip
def test_ip_finds_addresses_in_a_text(pattern: str, line: str, found: bool) -> None:
    one = record(0, line, addr=line)
    assert len(entries(SELECT + f'|= ip("{pattern}")', one)) == found
    assert len(entries(SELECT + f'!= ip("{pattern}")', one)) == (not found)
    assert len(entries(SELECT + f'|= "nothing" or ip("{pattern}")', one)) == found
    if line:
        assert len(entries(SELECT + f'| addr = ip("{pattern}")', one)) == found
        assert len(entries(SELECT + f'| addr != ip("{pattern}")', one)) == (not found)
    assert entries(SELECT + f'| missing != ip("{pattern}")', one) == []


def test_a_template_that_fails_keeps_the_line_and_says_so() -> None:
    (entry,) = entries(SELECT + "| line_format `{{ .a | duration }}`", record(0, "kept", a="soon"))
    assert entry.line == "kept"
    assert entry.parsed["__error__"] == "TemplateFormatErr"
    (entry,) = entries(
        SELECT + "| label_format b=`{{ .a | duration }}`, c=`{{ .a }}`", record(0, "x", a="soon")
    )
    assert (entry.parsed["__error__"], entry.parsed["c"], "b" in entry.parsed) == (
        "TemplateFormatErr",
        "soon",
        False,
    )


def test_templates_see_the_line_and_its_time() -> None:
    (entry,) = entries(
        SELECT + "| line_format `{{ __timestamp__ | unixEpoch }} {{ __line__ | upper }}`", record(1, "x")
    )
    assert entry.line == f"{T0 // 1_000_000_000 + 1} X"


def test_an_index_label_selects_streams() -> None:
    assert len(entries('{service_name="awf-demo", level="error"}')) == 4
    assert len(entries('{service_name="awf-demo", level=~"err.*|warn"}')) == 4


def test_labels_are_told_apart_by_origin() -> None:
    (entry,) = entries(SELECT + '| execution_id="exec-2" | pattern "Step <step> failed: <why> in <_>"')
    assert entry.stream == {"service_name": "awf-demo", "level": "error"}
    assert entry.metadata["agent_id"] == "writer"
    assert entry.parsed == {"step": "search", "why": "agent unavailable"}


@pytest.mark.parametrize(
    ("stages", "line", "labels"),
    [
        ("| json", '{"a":"x","n":1.50,"t":true,"z":null,"l":[1]}', {"a": "x", "n": "1.50", "t": "true"}),
        ("| json", '{"a":{"b":{"c":1}},"d-e":2,"9":3}', {"a_b_c": "1", "d_e": "2", "_9": "3"}),
        ("| json", '{"dup":1,"dup":2}', {"dup": "1"}),
        ("| json", '{"level":"x","agent_id":"y"}', {"level_extracted": "x", "agent_id_extracted": "y"}),
        ("| json", r'{"bad":"\ud800x"}', {"bad": " x"}),
        ('| json who="u.id", tag="t[1]", none="q"', '{"u":{"id":7},"t":["a","b"]}',
         {"who": "7", "tag": "b", "none": ""}),
        ('| json all="u", level="u.id"', '{"u":{"id":7,"s":"é"}}',
         {"all": '{"id":7,"s":"é"}', "level_extracted": "7"}),
        ("| logfmt", 'a=1 b="two words" c= d', {"a": "1", "b": "two words"}),
        ("| logfmt --keep-empty", "a=1 c= d", {"a": "1", "c": "", "d": ""}),
        ("| logfmt", 'good=1 bad="open', {"good": "1"}),
        ("| logfmt", 'a=1 x"y=2 b=3', {"a": "1", "b": "3"}),
        ("| logfmt", r'a="x\"y" b="C:\dir" c=3', {"a": 'x"y', "c": "3"}),
        ('| json empty="e"', '{"e":""}', {"empty": ""}),
        ('| logfmt code="status"', "status=200 msg=hi", {"code": "200"}),
        ('| regexp "(?P<verb>GET|PUT) (?P<path>/\\\\w*)?"', "GET - ", {"verb": "GET", "path": ""}),
        ('| regexp "(?P<verb>GET)"', "POST", {}),
        ('| pattern "<ip> - <rest>"', "1.2.3.4 - x y", {"ip": "1.2.3.4", "rest": "x y"}),
        ('| pattern "at <a> to <b> end"', "at x to y", {"a": "x", "b": "y"}),
        ('| pattern "at <a> to"', "not here", {}),
        ("| unpack", '{"_entry":"new line","pod":"p","n":1}', {"pod": "p"}),
        ("| json | label_format out=a, both=`{{.out}}{{.a}}-{{.missing}}`", '{"a":"x"}', {"out": "x", "both": "x-"}),
        ("| json | drop a, b=~`x.*`", '{"a":1,"b":"xyz","c":"xyz"}', {"c": "xyz"}),
        ("| json | keep a, b=~`x.*`", '{"a":1,"b":"xyz","c":"xyz"}', {"a": "1", "b": "xyz"}),
        ("| logfmt | json", 'a=1', {"a": "1", "__error__": "JSONParserErr"}),
    ],
)  # fmt: skip
def test_parsers_and_formats(stages: str, line: str, labels: dict[str, str]) -> None:
    found = parsed(stages, line, agent_id="searcher")
    found.pop("__error_details__", "")
    assert found == labels


def test_broken_json_keeps_what_came_before_the_fault_and_says_so() -> None:
    found = parsed("| json", '{"a":1, "b":{"c":2}, "d" oops')
    assert (found["a"], found["b_c"], found["__error__"]) == ("1", "2", "JSONParserErr")
    assert "':'" in found["__error_details__"]


@pytest.mark.parametrize(
    "line",
    [
        "plain",
        "[1,2]",
        '"text"',
        "",
        "{",
        '{"a":NaN}',
        "[" * 100_000,
        '{"a":' * 20_000,
    ],
)
def test_a_line_that_is_no_json_object_is_marked(line: str) -> None:
    assert parsed("| json", line)["__error__"] == "JSONParserErr"


@pytest.mark.parametrize(
    ("line", "labels"),
    [
        ("broken {json", {"__error__": "JSONParserErr"}),
        (' {"a":1}', {"__error__": "JSONParserErr"}),  # Loki looks at the first character
        ("[1,2,3]", {"x": ""}),
    ],
)
def test_asking_for_members_marks_a_line_that_does_not_begin_as_json(
    line: str, labels: dict[str, str]
) -> None:
    assert parsed('| json x="a"', line) == labels


def test_deep_json_is_parsed_or_marked() -> None:
    for depth in range(800, 1200, 7):
        for stages in ("| json", '| json x="a"', "| unpack"):
            assert parsed(stages, '{"a":' * depth + "1" + "}" * depth).keys() <= {
                "x", "_".join("a" * depth), "__error__", "__error_details__",
            }  # fmt: skip


def test_strict_logfmt_marks_a_broken_line() -> None:
    found = parsed("| logfmt --strict", 'a=1 b="open')
    assert (found["a"], found["__error__"]) == ("1", "LogfmtParserErr")


def test_errors_can_be_filtered_and_dropped() -> None:
    lines = [record(0, '{"a":1}'), record(1, "plain")]
    assert len(entries(SELECT + '| json | __error__=""', *lines)) == 1
    assert len(entries(SELECT + '| json | __error__!=""', *lines)) == 1
    (_, plain) = entries(SELECT + "| json | drop __error__, __error_details__", *lines)
    assert plain.parsed == {}


@pytest.mark.parametrize(
    ("query", "kept"),
    [
        ("took > 1s", True), ("took = 1500ms", True), ("took < 1s", False), ("took >= 2m", False),
        ("size > 1KB", True), ("size == 2KiB", True), ("size < 2000B", False),
        ("n > 5", True), ("n != 7.0", False), ("n <= -1", False),
    ],
)  # fmt: skip
def test_numbers_durations_and_sizes_compare(query: str, kept: bool) -> None:
    lines = entries(SELECT + "| logfmt | " + query, record(0, "took=1.5s size=2KiB n=7"))
    assert bool(lines) is kept


def test_a_label_that_cannot_be_compared_keeps_the_entry_with_an_error() -> None:
    assert parsed("| logfmt | n > 5", "n=many")["__error__"] == "LabelFilterErr"


def test_line_format_rewrites_the_line_for_later_filters() -> None:
    (entry,) = entries(
        SELECT + '| execution_id="exec-2" | line_format "{{ .agent_id }} {{- /* x */ -}} failed"'
    )
    assert entry.line == "writerfailed"
    assert entries(SELECT + '| line_format "x" |= "Step"') == []


def test_decolorize_removes_escape_codes() -> None:
    (entry,) = entries(SELECT + "| decolorize", record(0, "\x1b[31mred\x1b[0m"))
    assert entry.line == "red"


def test_metadata_that_collides_with_a_stream_label_is_renamed() -> None:
    (entry,) = entries(SELECT, record(0, "x", level="info"))
    assert entry.metadata == {}
    collided = record(0, "x")
    (entry,) = entries(SELECT, type(collided)(T0, "x", collided.labels, {"level": "debug"}))
    assert entry.metadata == {"level_extracted": "debug"}
