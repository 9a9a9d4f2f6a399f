"""Templates of line_format and label_format give what Go's would: values, functions, blocks and errors."""

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from awf.embedded.logql.template import Template, TemplateError
from awf.embedded.logql.template import evaluate as evaluate_module
from awf.errors import AwfError, QueryError, UnsupportedQuery

LABELS = {
    "a": "x", "b": "Hello World", "n": "42", "took": "1h30m", "size": "2KiB", "path": "/api/v1/items?x=1&y=é",
    "json": '{"k":[1,2.5,"s",null],"z":{"q":true},"e":[]}', "at": "2024-02-29T12:34:56.789+02:00", "pad": "  in  ",
}  # fmt: skip
AT_NS = 1_700_000_000_123_456_789


def render(template: str, **labels: str) -> str:
    return Template.parse(template).render(LABELS | labels, "the line", AT_NS)


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("plain {{.a}}-{{ .missing }}-{{.b}}", "plain x--Hello World"),
        ("{{ .b | upper }}{{ .b | ToLower | trunc 5 }}", "HELLO WORLDhello"),
        ("a {{- .a -}} b {{/* no */}}", "axb "),
        ('{{ if eq .a "x" }}yes{{ else if .b }}b{{ else }}no{{ end }}', "yes"),
        ('{{ if and .a (gt (len .b) 20) }}long{{ else }}short{{ end }}', "short"),
        ("{{ if not .missing }}none{{end}} {{ or .missing .a }} {{ and .a .missing }}|", "none x |"),
        ("{{ range $key, $value := fromJson .json }}{{ $key }}={{ $value }};{{ end }}", "e=[];k=[1 2.5 s <nil>];z=map[q:true];"),
        ("{{ range (fromJson .json).k }}{{ if eq (print .) `s` }}{{ break }}{{ end }}<{{ . }}>{{ end }}", "<1><2.5>"),
        ("{{ range (fromJson .json).e }}x{{ else }}empty{{ end }}", "empty"),
        ("{{ $n := .n }}{{ if true }}{{ $n = `7` }}{{ end }}{{ $n }}", "7"),
        ("{{ with .missing }}x{{ else }}{{ . | len }}{{ end }}", "9"),
        ("{{ __line__ }} {{ __timestamp__ }}", "the line 2023-11-14 22:13:20.123456789 +0000 UTC"),
        ('{{ __timestamp__ | date "Mon, 02 Jan 2006 15:04:05.000 MST" }}', "Tue, 14 Nov 2023 22:13:20.123 UTC"),
        ('{{ toDate "2006-01-02T15:04:05.000-07:00" .at | unixEpochMillis }}', "1709202896789"),
        ('{{ toDateInZone "2006-01-02 15:04" "Europe/Berlin" "2024-07-01 12:00" | unixEpoch }}', "1719828000"),
        ('{{ toDate "2006-01-02" "no date" | unixEpoch }} {{ unixToTime "1700000000" | unixEpochNanos }}',
         "-62135596800 1700000000000000000"),
        ("{{ .took | duration }} {{ bytes .size }} {{ duration_seconds `90ms` }}", "5400 2048 0.09"),
        ("{{ add 1 .n `3` }} {{ sub 1 2 }} {{ mul 2 3 4 }} {{ div -7 2 }} {{ mod -7 2 }} {{ max 1 .n }} {{ min 3 2 }}",
         "46 -1 24 -3 -1 42 2"),
        ("{{ addf 0.1 0.2 }} {{ divf 1 3 }} {{ mulf 1.5 2 }} {{ round 3.14159 2 }} {{ ceil 1.2 }} {{ floor `-1.2` }}",
         "0.3 0.3333333333333333 3 3.14 2 -2"),
        ("{{ int `0x1f` }} {{ float64 .n }} {{ int 7.9 }} {{ int .a }}", "31 42 7 0"),
        ('{{ printf "%5.2f|%-4s|%04d|%q|%x|%v|%t|%d" 3.14159 .a 42 "q" "hi" 1e21 true "s" }}',
         ' 3.14|x   |0042|"q"|6869|1e+21|true|%!d(string=s)'),
        ('{{ printf "%s %s" .a }} {{ printf "%s" .a .a }}', "x %!s(MISSING) x%!(EXTRA string=x)"),
        ('{{ .path | urlencode }} {{ "a%20b+c" | urldecode }}', "%2Fapi%2Fv1%2Fitems%3Fx%3D1%26y%3D%C3%A9 a b c"),
        ('{{ regexReplaceAll "(l+)o" .b "<$1>" }} {{ regexReplaceAllLiteral "l+" .b "$1" }} {{ count "l" .b }}',
         "He<ll> World He$1o Wor$1d 3"),
        ("{{ trim .pad }}|{{ TrimLeft .pad ` i` }}|{{ trimAll `-` `--a--` }}|{{ trimPrefix `He` .b }}", "in|n  |a|llo World"),
        ("{{ replace `l` `L` .b }} {{ Replace .b `l` `L` 1 }} {{ repeat 3 .a }} {{ title `go on` }}",
         "HeLLo WorLd HeLlo World xxx Go On"),
        ("{{ substr 0 4 .b }}|{{ trunc -5 .b }}|{{ alignLeft 4 .a }}|{{ alignRight 4 .a }}|{{ alignRight 3 .b }}",
         "Hell|World|x   |   x|rld"),
        ("{{ .a | b64enc }} {{ b64dec `eA` }} {{ b64dec `!` }}", "eA== x illegal base64 data at input byte 0"),
        ("{{ .missing | default `-` }} {{ default 1 .n }} {{ contains `lo` .b }} {{ hasPrefix `He` .b }}", "- 42 true true"),
        ("{{ index . `a` }} {{ slice .b 1 3 }} {{ len .b }} {{ indent 2 `a` }}", "x el 11   a"),
        ("{{ eq .a `y` `x` }} {{ ne 1 2 }} {{ lt 1.5 2.5 }} {{ ge `b` `a` }}", "true true true true"),
        ("{{ print 1 2 `a` 3 }} {{ html `<a>` }}", "1 2a3 &lt;a&gt;"),
        ("{{ 'a' }} {{ 1_000 }} {{ 010 }} {{ -1.50 }} {{ true }} {{ (fromJson `[]`) }} {{ (fromJson `x`) }}",
         "97 1000 8 -1.5 true [] <no value>"),
    ],
)  # fmt: skip
def test_gives_what_go_gives(template: str, text: str) -> None:
    assert render(template) == text


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("{{ .took | bytes }}", "not a byte size"), ("{{ .a | duration }}", "invalid duration"),
        ("{{ add 1 2 | repeat 3 }}", "expected string; got int64"), ("{{ repeat (add 1 2) .a }}", "expected int; got int64"),
        ("{{ upper 5 }}", "expected string; got int"), ("{{ upper .a .b }}", "wrong number of args for upper: want 1 got 2"),
        ("{{ eq 1 1.0 }}", "incompatible types"), ("{{ .a.b }}", "can't evaluate field b in type string"),
        ("{{ div 1 0 }}", "divide by zero"), ("{{ divf 1 0 }}", "division by 0"), ("{{ .a 1 }}", "can't give argument"),
        ("{{ substr 5 2 .b }}", "out of range"), ("{{ repeat -1 .a }}", "negative Repeat"),
        ("{{ range .a }}{{ end }}", "can't iterate"), ("{{ unixToTime `12` }}", "unable to parse time"),
        ("{{ urldecode `%zz` }}", "invalid URL escape"), ("{{ regexReplaceAll `(` .a `` }}", "missing closing )"),
        ("{{ index (fromJson `[1]`) 3 }}", "out of range"),
    ],
)  # fmt: skip
def test_what_fails_is_an_error_of_the_entry(template: str, message: str) -> None:
    with pytest.raises(TemplateError, match=r".") as caught:
        render(template)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    "template",
    ["{{", "{{ }}", "{{ .a", "{{ end }}", "{{ if .a }}", "{{ if }}x{{ end }}", "{{ nothing .a }}", "{{ $x }}", "{{ .a | }}",
     "{{ .a | `x` }}", "{{ (.a }}", "{{ .a) }}", "{{ break }}", "{{ else }}", "{{ range .a }}{{ else .b }}{{ end }}",
     "{{ `a`.b }}", '{{ "a }}', "{{ 09 }}", "{{ a := 1 }}", '{{ "\\q" }}', "{{ /* x */ .a }}", "{{ if .a }}{{ end .b }}"],
)  # fmt: skip
def test_what_go_does_not_parse_is_refused(template: str) -> None:
    with pytest.raises(QueryError) as caught:
        Template.parse(template)
    assert not isinstance(caught.value, UnsupportedQuery)


def test_work_is_bounded() -> None:
    for template in ("{{ repeat 1000000 .b }}", "{{ range 1000000000 }}{{ end }}", '{{ printf "%999999999d" 1 }}',
                     "{{ alignLeft 999999999 .a }}", "{{ indent 999999999 .a }}"):  # fmt: skip
        with pytest.raises(TemplateError):
            render(template)
    doubling = "{{ $x := `0123456789` }}" + "{{ $x = print $x $x }}" * 40 + "{{ $x }}"
    with pytest.raises(TemplateError, match="longer than"):
        render(doubling)
    nested = "{{ range 9999 }}" * 3 + "{{ end }}" * 3
    with pytest.raises(TemplateError, match=f"more than {evaluate_module.MAX_STEPS} steps"):
        render(nested)
    with pytest.raises(QueryError, match="levels deep"):
        Template.parse("{{ " + "(" * 4_000 + ".a" + ")" * 4_000 + " }}")
    with pytest.raises(QueryError, match="levels deep"):
        Template.parse("{{ if .a }}" * 500 + "{{ end }}" * 500)


def test_names_are_the_labels_that_it_may_read() -> None:
    template = Template.parse(
        "{{ if .a }}{{ .b | default (upper .c) }}{{ else }}{{ range .d }}{{ .e.f }}{{ end }}{{ end }}"
    )
    assert template.names == set("abcdef")


PIECES = ["{{", "}}", "if ", "range ", "end", "else", ".a", ".b.c", "|", "(", ")", "$x", ":=", "printf ", '"%d"', "`r`", " 1",
          "eq ", "upper", "fromJson ", "-", " ", "__line__", "index ", "text", "with ", "1e999", "date "]  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(st.one_of(st.text(max_size=40), st.lists(st.sampled_from(PIECES), max_size=20).map("".join)))
def test_any_text_renders_or_fails_with_one_of_our_errors(text: str) -> None:
    with contextlib.suppress(AwfError, TemplateError):
        render(text)
