"""LogQL for lark (LALR). What Loki knows and we do not answer is parsed too, so that it is refused by name."""

from __future__ import annotations

from typing import Final

GRAMMAR: Final = r"""
start: log_query | metric

?log_query: pipeline_query | "(" log_query ")"
pipeline_query: selector stage*
selector: "{" [matcher ("," matcher)*] "}"
matcher: IDENTIFIER match_op STRING
!match_op: "=" | "!=" | "=~" | "!~"

?stage: line_filter | "|" pipe_stage
line_filter: line_op line_operand (OR line_operand)*
!line_op: "|=" | "!=" | "|~" | "!~" | "|>" | "!>"
line_operand: STRING | IP "(" STRING ")" -> ip_operand

?pipe_stage: JSON [extractions]                -> json_stage
    | LOGFMT FLAG* [extractions]               -> logfmt_stage
    | REGEXP STRING                            -> regexp_stage
    | PATTERN STRING                           -> pattern_stage
    | UNPACK                                   -> unpack_stage
    | DECOLORIZE                               -> decolorize_stage
    | LINE_FORMAT STRING                       -> line_format
    | LABEL_FORMAT assignment ("," assignment)* -> label_format
    | DROP target ("," target)*                -> drop_stage
    | KEEP target ("," target)*                -> keep_stage
    | UNWRAP IDENTIFIER                        -> unwrap_stage
    | UNWRAP CONVERSION "(" IDENTIFIER ")"     -> unwrap_stage
    | label_filter
extractions: extraction ("," extraction)*
extraction: IDENTIFIER ["=" STRING]
assignment: IDENTIFIER "=" IDENTIFIER -> rename | IDENTIFIER "=" STRING -> assign
?target: IDENTIFIER -> target_name | matcher

label_filter: filter_atom (joined_filter | filter_atom)*
joined_filter: (AND | OR | COMMA) filter_atom
?filter_atom: matcher                          -> label_match
    | IDENTIFIER compare_op number             -> label_number
    | IDENTIFIER compare_op DURATION           -> label_duration
    | IDENTIFIER compare_op BYTES              -> label_bytes
    | IDENTIFIER match_op IP "(" STRING ")"    -> label_ip
    | "(" label_filter ")"                     -> group
!compare_op: ">" | ">=" | "<" | "<=" | "==" | "=" | "!="

log_range: selector stage* RANGE offset? stage*
    | "(" selector stage* ")" RANGE offset? stage*
    | "(" log_range ")"                        -> group
offset: OFFSET DURATION

?metric: or_metric
?or_metric: and_metric | or_metric OR modifier and_metric -> binary
?and_metric: comparison | and_metric (AND | UNLESS) modifier comparison -> binary
?comparison: sum_metric | comparison compare modifier sum_metric -> binary
?sum_metric: product | sum_metric (PLUS | MINUS) modifier product -> binary
?product: power | product (TIMES | DIVIDE | MODULO) modifier power -> binary
?power: atom | atom POWER modifier power       -> binary
?atom: range_aggregation | vector_aggregation | label_replace | vector
    | number                                   -> number_literal
    | "(" metric ")"                           -> group
!compare: "==" | "!=" | ">" | ">=" | "<" | "<="

modifier: [BOOL] [matching]
matching: (ON | IGNORING) labels [GROUP_SIDE [labels]]
labels: "(" [IDENTIFIER ("," IDENTIFIER)*] ")"
grouping: (BY | WITHOUT) labels

range_aggregation: RANGE_OP "(" [NUMBER ","] log_range ")" [grouping]
vector_aggregation: VECTOR_OP "(" [NUMBER ","] metric ")" [grouping]
    | VECTOR_OP grouping "(" [NUMBER ","] metric ")" -> grouped_aggregation
label_replace: LABEL_REPLACE "(" metric "," STRING "," STRING "," STRING "," STRING ")"
vector: VECTOR "(" NUMBER ")"
number: [PLUS | MINUS] NUMBER

RANGE_OP.3: /(count_over_time|rate_counter|rate|bytes_over_time|bytes_rate|sum_over_time|avg_over_time|min_over_time|max_over_time|stddev_over_time|stdvar_over_time|quantile_over_time|first_over_time|last_over_time|absent_over_time)(?=\s*\()/i
VECTOR_OP.3: /(sum|avg|min|max|count|stddev|stdvar|approx_topk|topk|bottomk|sort_desc|sort)(?=\s*(\(|(by|without)\s*\())/i
CONVERSION.3: /(bytes|duration_seconds|duration)(?=\s*\()/i
LABEL_REPLACE.3: /label_replace(?=\s*\()/i
VECTOR.3: /vector(?=\s*\()/i
IP.3: /ip(?=\s*\()/i
GROUP_SIDE.3: /(group_left|group_right)\b/i
JSON.3: /json\b/i
LOGFMT.3: /logfmt\b/i
REGEXP.3: /regexp\b/i
PATTERN.3: /pattern\b/i
UNPACK.3: /unpack\b/i
DECOLORIZE.3: /decolorize\b/i
LINE_FORMAT.3: /line_format\b/i
LABEL_FORMAT.3: /label_format\b/i
DROP.3: /drop\b/i
KEEP.3: /keep\b/i
UNWRAP.3: /unwrap\b/i
OFFSET.3: /offset\b/i
BOOL.3: /bool\b/i
ON.3: /on\b/i
IGNORING.3: /ignoring\b/i
BY.3: /by\b/i
WITHOUT.3: /without\b/i
OR.3: /or\b/i
AND.3: /and\b/i
UNLESS.3: /unless\b/i
COMMA: ","
PLUS: "+"
MINUS: "-"
TIMES: "*"
DIVIDE: "/"
MODULO: "%"
POWER: "^"
FLAG: /--[a-z-]+/
RANGE: /\[[^\]]*\]/
DURATION.2: /-?((\d+\.?\d*|\.\d+)(ns|us|µs|ms|[smhdwy]))+(?![\w.])/
BYTES.2: /(\d+\.?\d*|\.\d+)([kKMGTP]i?B?|B)(?![\w.])/
NUMBER: /(\d+\.?\d*|\.\d+)(e[+-]?\d+)?/i
STRING: /"(\\.|[^"\\\n])*"|`[^`]*`/
IDENTIFIER: /[A-Za-z_][A-Za-z0-9_]*/

%ignore /\s+/
%ignore /#[^\n]*/
"""
