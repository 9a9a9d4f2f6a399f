"""TraceQL for lark (LALR).

Between spansets the grammar is wider than the language: arithmetic, aggregates and metrics are parsed
wherever an operand may stand, so that the builder can refuse what is wrong or not supported by name.
`&&` and `||` have one precedence and associate to the left, as in Tempo.
"""

from __future__ import annotations

from typing import Final

GRAMMAR: Final = r"""
start: pipeline [hints]
pipeline: _bare_stage ("|" _bare_stage)*
_bare_stage: stage

?stage: relation | stage LOGIC relation        -> join_stages
?relation: total | relation RELATION total     -> relate
?total: product | total (ADD | SUB) product    -> calculate_stages
?product: part | product SCALE part            -> calculate_stages
?part: filter | call | constant | SUB part     -> negative_stage
    | "(" pipeline ")"                         -> wrapped
filter: "{" [expression] "}"
constant: NUMBER | DURATION
call: NAME arguments [BY arguments] | BY arguments -> group_by
arguments: "(" [_argument ("," _argument)*] ")"
_argument: expression | filter
hints: WITH "(" hint ("," hint)* ")"
hint: NAME "=" expression

?expression: comparison | expression LOGIC comparison  -> join
?comparison: sum | comparison COMPARE sum      -> compare
?sum: term | sum (ADD | SUB) term              -> calculate
?term: factor | term SCALE factor              -> calculate
?factor: SUB factor -> negative | NOT factor   -> invert | power
?power: atom | atom POWER power                -> calculate
?atom: "(" expression ")"                      -> group
    | NAME -> name | SCOPED -> scoped | ATTRIBUTE -> attribute
    | STRING -> string | NUMBER -> number | DURATION -> duration

only_field: SCOPED -> scoped | ATTRIBUTE -> attribute | NAME -> name

BY: "by"
WITH: "with"
LOGIC: "&&" | "||"
NOT: "!"
ADD: "+"
SUB: "-"
SCALE: "*" | "/" | "%"
POWER: "^"
COMPARE: "=~" | "!~" | "!=" | ">=" | "<=" | "=" | ">" | "<"
RELATION: /!>>|!<<|&>>|&<<|!>|!<|!~|!=|&>|&<|&~|>>|<<|>=|<=|=~|=|>|<|~/
ATTRIBUTE.3: /(?:(?:parent\.)?(?:span|resource|event|link|instrumentation)\.|parent\.|\.(?!\d))(?:[^\s{}()=~!<>&|^,"]|"(?:[^"\\]|\\["\\])*")+/
SCOPED.3: /(?:trace|span|event|link|instrumentation):[A-Za-z]+/
DURATION.2: /(?:(?:\d+(?:\.\d*)?|\.\d+)(?:ns|us|µs|ms|s|m|h|d|w|y))+/
NUMBER.1: /(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?/
STRING: /"(?:[^"\\\n]|\\.)*"|`[^`]*`/
NAME: /[A-Za-z_][A-Za-z0-9_]*/
%ignore /\s+/
"""
