"""Queries about the conformance data: written ones per construct, and as many generated ones as asked for."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Final

SELECTORS: Final = (
    '{app="api"}', '{app="worker"}', '{app="nginx"}', '{app="plain"}', '{app="counter"}', '{app="packed"}',
    '{app=~"api|worker"}', '{app=~".+", env!="dev"}', '{app!~"plain|counter", app!=""}', '{env="prod"}',
    '{app="api", env=~"p.*"}', '{app="gone"}', '{app=~".+"}', '{app=~".+"}', '{service_name=~".+"}', '{app=~".+", app!="plain"}',
)  # fmt: skip
LINE_FILTERS: Final = (
    '|= "done"', '!= "done"', '|= "failed" or "timeout"', '!= "info" or "warn"', '|~ "time.?out|slow"', '!~ "[0-9]{3}"',
    '|~ "(?i)REQUEST"', "|~ `^\\S+ - -`", "!~ `level=\\w+`", '|= ""', '|~ ""', '!= ""', '|> "<_>level=<_>"', "|> `<_> - - <_>`",
    '|> "user <_> logged in after <_> tries"', '!> "<_>done<_>"', '|> "level=<_> <_>" or "<_> took <_> ms"',
    '|= ip("10.0.0.0/16")', '!= ip("10.0.0.0/8")', '|= ip("192.168.0.1-192.168.4.9")', '|= ip("2001:db8::/32")',
    '|= ip("::1")', '|= ip("10.0.0.7") or "GET"', '|= "é"', '|= "🙂"', '|~ "日.語"', '|~ "a.b|\\\\d+ ms$"', '!= "x" != "y" |= "a"',
    '|= "\\"msg\\""', "|= `user.name=`",
)  # fmt: skip
PARSERS: Final = (
    "| json", "| logfmt", "| json | logfmt", '| json status, name="user.name", first="tags[0]", second="tags[1].b"',
    '| json odd="[\\"odd key-1\\"]", gone="a.b.c", user="user"', "| logfmt --strict", "| logfmt --keep-empty",
    "| logfmt --strict --keep-empty", '| logfmt level, took, who="user_name"', "| logfmt | line_format `{{.msg}}`",
    '| regexp `(?P<verb>GET|POST) (?P<where>\\S+)`', '| regexp `(?P<number>\\d+)`', '| pattern `<ip> - - [<_>] "<verb> <where> <_>" <status> <size>`',
    "| pattern `<_> <second> <_>`", "| pattern `total=<total> <_>`", "| unpack", "| decolorize",
    "| unpack | regexp `message (?P<n>\\d+)`", '| json level="level"', "| json | json msg2=`msg`",
)  # fmt: skip
LABEL_FILTERS: Final = (
    '| level="error"', '| level!="info"', '| level=~"warn|error"', '| level!~"i.*"', "| status >= 400", "| status = 200", "| status != 500",
    "| n < 10", "| n > -3 and n <= 50", "| took > 1s", "| took <= 90s", "| duration > 100ms", "| duration != 1500ms", "| size > 1KB",
    "| bytes >= 2KiB or n = 7", "| size < 1MB, status < 500", '| agent="agent-1"', '| agent_extracted="in-the-line"', '| trace_id!=""',
    '| trace_id=""', '| __error__=""', '| __error__!=""', '| __error__=~"JSON.*"', '| gone=""', "| gone > 5", '| env="prod"',
    '| env_extracted=~".+"', '| (level="warn" or status=404) and user_name!=""', '| level="info" or level="error", agent=~"agent-[12]"',
    '| ip=ip("10.0.0.0/16")', '| ip!=ip("10.1.0.0/16")', '| addr=ip("192.168.1.0/24")', '| user_id = 3 or user_id = 4',
    '| ok="true"', '| empty=""', "| total > 400", "| gauge >= -2.5", '| verb="GET"', '| where=~"/api/.*"', '| took > 0.5',
)  # fmt: skip
FORMATS: Final = (
    '| line_format "{{.level}}: {{.msg}}"', "| line_format `{{ .msg | upper | trunc 8 }}`", "| line_format `{{ __line__ | lower }}`",
    "| line_format `{{ if eq .level \"error\" }}E{{ else if .level }}{{ .level | title }}{{ else }}-{{ end }}`",
    "| line_format `{{ .status | default \"none\" }}/{{ .user_name | replace \"n\" \"N\" }}`", "| line_format `{{ __timestamp__ | unixEpoch | len }}`",
    "| line_format `{{ printf \"%-8s|%5.1f\" .level (float64 .took) }}`", "| line_format `{{ add .n 1 }} {{ mulf .gauge 2.0 }} {{ div .total 7 }}`",
    "| line_format `{{ .took | duration }}`", "| line_format `{{ .size | bytes }}`", "| line_format `{{ regexReplaceAll \"(\\\\w+)@?\" .agent \"<$1>\" }}`",
    "| line_format `{{ range $i, $e := fromJson __line__ }}{{ $i }} {{ end }}`", "| line_format `{{ .path | urlencode }} {{ substr 0 4 .path }}`",
    "| label_format lvl=level", "| label_format lvl=level, both=`{{.level}}-{{.agent}}`", "| label_format status=`{{ .status | trunc -1 }}`",
    "| label_format app=`x{{ .app }}`", "| label_format agent=env", "| drop level", "| drop level, agent", '| drop level="error", trace_id',
    "| drop __error__, __error_details__", '| drop __error__="JSONParserErr", __error_details__', "| keep level, agent", '| keep level="error", app', "| keep status",
    "| decolorize", "| line_format `{{ alignLeft 5 .app }}|{{ alignRight 5 .app }}`", "| line_format `{{ .agent | b64enc }} {{ .msg | trimSuffix \"done\" }}`",
    "| line_format `{{ $x := .n }}{{ with $x }}n={{ . }}{{ else }}no n{{ end }}`", "| line_format `{{ trunc 3 .level | repeat 2 }}{{ count \"a\" __line__ }}`",
    "| line_format `{{ max 3 .n }} {{ min .n 3 }} {{ round .took 1 }} {{ floor .gauge }} {{ mod .total 10 }}`",
    "| label_format long=`{{ gt (len __line__) 60 }}`", "| line_format `{{ hasPrefix \"job\" .msg }} {{ contains \"a\" .msg }} {{ .msg | trim }}`",
)  # fmt: skip
UNWRAPS: Final = (
    "| json | unwrap status", "| json | unwrap took", "| json | unwrap duration(duration)", "| json | unwrap bytes(size)", "| logfmt | unwrap n",
    "| logfmt | unwrap duration_seconds(took)", "| logfmt | unwrap bytes(bytes)", "| logfmt | unwrap total", "| logfmt | unwrap gauge", "| logfmt | unwrap big",
    "| pattern `<_> \"<_>\" <_> <size>` | unwrap size", "| regexp `(?P<t>\\d+) ms` | unwrap t", "| json user_id=`user.id` | unwrap user_id",
)  # fmt: skip
LINE_RANGES: Final = ("count_over_time", "rate", "bytes_over_time", "bytes_rate", "absent_over_time")
UNWRAPPED_RANGES: Final = (
    "sum_over_time", "avg_over_time", "min_over_time", "max_over_time", "stddev_over_time", "stdvar_over_time",
    "first_over_time", "last_over_time", "rate", "rate_counter", "quantile_over_time", "absent_over_time",
)  # fmt: skip
GROUPABLE: Final = frozenset(UNWRAPPED_RANGES) - {"sum_over_time", "rate", "rate_counter", "absent_over_time"}
WINDOWS: Final = ("1m", "5m", "90s", "10m", "30m", "37s")
GROUPINGS: Final = (
    "by (app)",
    "by (level)",
    "by (env, level)",
    "by (agent)",
    "without (agent, trace_id)",
    "by ()",
    "by (gone)",
    "without (level)",
    "by (status, app)",
)
OPERATORS: Final = ("+", "-", "*", "/", "%", "^", "==", "!=", ">", ">=", "<", "<=", "and", "or", "unless")


def written() -> Iterator[str]:
    """Yield a query for every construct there is, each where it has something to find."""
    for text in LINE_FILTERS:
        yield f'{{app=~".+"}} {text}'
    for text in PARSERS:
        yield f'{{app=~".+"}} {text}'
    for text in LABEL_FILTERS:
        for parser in ("| json", "| logfmt"):
            yield f'{{app=~"api|worker|counter|nginx"}} {parser} {text}'
    for text in FORMATS:
        for parser in ("| json", "| logfmt"):
            yield f'{{app=~"api|worker|counter"}} {parser} {text}'
    for unwrap in UNWRAPS:
        for op in UNWRAPPED_RANGES:
            parameter = "0.75, " if op == "quantile_over_time" else ""
            yield f"{op}({parameter}{{app=~`.+`}} {unwrap} | __error__=`` | keep app, env [10m])"
    for op in LINE_RANGES:
        yield f"sum by (app) ({op}({{app=~`.+`}} [7m]))"
    left, right = (
        "sum by (app, env) (count_over_time({app=~`.+`}[10m]))",
        "sum by (app) (rate({app!=`plain`, app!=``}[5m]))",
    )
    for op in OPERATORS:
        yield f"{left} {op} on (app) {'' if op in {'and', 'or', 'unless'} else 'group_left '}{right}"
        if op not in {"and", "or", "unless"}:
            yield f"{right} {op} on (app) group_right {left}"
            yield f"{left} {op} 3"
            yield f"3 {op} {left}"
    yield from WRITTEN


REFUSED_HERE: Final = (
    'rate({app="api"}[0s])',
    '{app="api"} |~ "("',
    '{app="api"} |> "<name>"',
    '{app="api"} |= ip("nonsense")',
    '{app="api"} | line_format "{{ nothing .a }}"',
    '{app="api"} | line_format "{{ .a "',
    '{app="api"} | label_format a=b, a=c',
    '{app="api"} | json a="b["',
    '{app="api"} | logfmt a="b.c"',
)
"""Wrong queries that Loki answers with nothing, and with an error only where it has lines to look at."""
WRITTEN: Final = (
    "1 + 2 * 3 - 4 / 5 % 6 ^ 2",
    "1 > bool 2",
    "vector(1) + vector(1)",
    "vector(3) or vector(4)",
    "-1",
    "1e3",
    "1 / 0",
    'label_replace(sum by (app) (rate({app=~".+"}[5m])), "kind", "$1", "app", "(.).*")',
    'label_replace(sum by (app) (rate({app=~".+"}[5m])), "app", "", "app", "api")',
    'sort(sum by (app) (rate({app=~".+"}[5m])))',
    'topk(2, sum by (app) (rate({app=~".+"}[5m])))',
    'sum(sum by (app) (rate({app=~".+"}[5m])))',
    'absent_over_time({app="gone", env=~"x.*"}[5m])',
    'count_over_time(({app="packed"} |= "inner")[5m])',
    'count_over_time({app="packed"}[5m] |= "inner")',
    'sum(rate({app="api"} | json | __error__="" [5m])) by (level, env)',
    'avg without (agent, trace_id) (rate({app="nginx"}[5m]))',
    # what Loki does not take
    "",
    "{",
    "{}",
    '{app=~".*"}',
    '{app="api"',
    '{app="api"} |',
    '{app="api"} | json |= ',
    'rate({app="api"})',
    'sum({app="api"})',
    '{app="api"} | unwrap x',
    'count_over_time({app="api"} | unwrap x [5m])',
    'sum_over_time({app="api"}[5m])',
    'topk(0, rate({app="api"}[5m]))',
    "topk(rate({app=`a`}[5m]))",
    'sum(2, rate({app="api"}[5m]))',
    'quantile_over_time({app="api"} | unwrap x [5m])',
    'rate({app="api"}[5m]) by (app)',
    '{app="api"} | pattern "no capture"',
    '{app="api"} | pattern "<a><b>"',
    '{app="api"} | regexp "no group"',
    '{app="api"} | regexp "("',
    '{app=~"("}',
    '{app="api"} | logfmt --nothing',
    '1 and rate({app="api"}[5m])',
    'sum by (app) (rate({app=~".+"}[5m])) / on (app) sum by (app, env) (rate({app=~".+"}[5m]))',
    'sum by (app, env) (rate({app=~".+"}[5m])) / on (app) sum by (app) (rate({app=~".+"}[5m]))',
    'sum(count_over_time({app=~".+"} | json [5m])) by (status)',
    'label_replace(vector(1), "a b", "x", "y", "z")',
    "sort(vector(1)) by (a)",
    'sum_over_time({app="worker"} | logfmt | unwrap took [5m])',
)


def generated(count: int, seed: int) -> Iterator[str]:
    """Yield queries, about a third of them log queries."""
    chance = random.Random(seed)
    for index in range(count):
        yield _log_query(chance) if index % 3 == 0 else _metric(chance, depth=chance.choice((0, 0, 1, 1, 2)))


def _pipeline(chance: random.Random) -> str:
    stages: list[str] = []
    while chance.random() < 0.3:
        stages.append(chance.choice(LINE_FILTERS))
    if chance.random() < 0.75:
        stages.append(chance.choice(PARSERS))
    while chance.random() < 0.3:
        stages.append(chance.choice(LABEL_FILTERS))
    while chance.random() < 0.35:
        stages.append(chance.choice(FORMATS))
    if chance.random() < 0.1:
        stages.append(chance.choice(LINE_FILTERS + LABEL_FILTERS))
    return " ".join(stages)


def _log_query(chance: random.Random) -> str:
    return f"{chance.choice(SELECTORS)} {_pipeline(chance)}".strip()


def _range(chance: random.Random) -> str:
    window = f"[{chance.choice(WINDOWS)}]" + chance.choice(("", "", "", " offset 2m"))
    if chance.random() < 0.5:
        return f"{chance.choice(LINE_RANGES)}({_log_query(chance)} {window})"
    op = chance.choice(UNWRAPPED_RANGES)
    filters = chance.choice(("", "", "", " " + chance.choice(LINE_FILTERS)))
    after = chance.choice(
        ("| __error__=``", "| __error__=``", "", "| __error__=`` " + chance.choice(LABEL_FILTERS))
    )
    selector = chance.choice(SELECTORS[-4:] if chance.random() < 0.7 else SELECTORS)
    inner = f"{selector}{filters} {chance.choice(UNWRAPS)} {after} {window}"
    parameter = f"{chance.choice((0.5, 0.9, 0, 1, 0.25))}, " if op == "quantile_over_time" else ""
    grouping = f" {chance.choice(GROUPINGS)}" if op in GROUPABLE and chance.random() < 0.4 else ""
    return f"{op}({parameter}{inner}){grouping}"


def _metric(chance: random.Random, depth: int) -> str:
    inner = _range(chance)
    if depth == 0 or chance.random() < 0.7:
        op = chance.choice(
            (
                "sum",
                "sum",
                "sum",
                "avg",
                "min",
                "max",
                "count",
                "stddev",
                "stdvar",
                "topk",
                "bottomk",
                "sort",
                "sort_desc",
            )
        )
        parameter = f"{chance.randrange(1, 4)}, " if op in {"topk", "bottomk"} else ""
        grouping = (
            ""
            if op.startswith("sort")
            else chance.choice(("", " " + chance.choice(GROUPINGS), " " + chance.choice(GROUPINGS)))
        )
        inner = f"{op}({parameter}{inner}){grouping}"
    if depth <= 1:
        if chance.random() < 0.3:
            return f"({inner}) {chance.choice(OPERATORS[:12])} {chance.choice(('', 'bool ') if depth else ('',))}{chance.choice(('2', '0', '0.5', '-1'))}".replace(
                "+ bool", "+"
            ).replace("- bool", "-")
        return inner
    left = f"sum {chance.choice(GROUPINGS[:4])} ({_range(chance)})"
    right = f"sum {chance.choice(GROUPINGS[:4])} ({_range(chance)})"
    op = chance.choice(OPERATORS)
    matching = chance.choice(("", "", "on (app)", "on ()", "ignoring (level)", "ignoring (env, agent)"))
    if matching and op not in {"and", "or", "unless"} and chance.random() < 0.5:
        matching += chance.choice(
            (" group_left", " group_right", " group_left (env)", " group_right (level)")
        )
    return f"{left} {op} {matching} {right}"
