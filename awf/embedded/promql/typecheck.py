"""What an expression must be beyond its grammar: types of arguments, matching, non-empty selectors."""

from __future__ import annotations

from awf.embedded.promql.mistakes import ParseError
from awf.embedded.promql.operators import COMPARISONS, SET_OPERATORS
from awf.embedded.promql.signatures import SIGNATURES
from awf.embedded.promql.syntax import (
    Aggregate,
    Binary,
    Call,
    Kind,
    Node,
    Selector,
    Span,
    Subquery,
    Unary,
    bare,
    children,
    kind,
)

KIND_NAMES: dict[Kind, str] = {
    "scalar": "scalar", "vector": "instant vector", "matrix": "range vector", "string": "string",
}  # fmt: skip
_OPERANDS = "binary expression must contain only scalar and instant vector types"


def check(node: Node, query: str) -> None:
    """Raise ParseError for the first thing that is wrong, outermost parts first."""
    _Checker(query).check(node)


class _Checker:
    def __init__(self, query: str) -> None:
        self._query = query

    def check(self, node: Node) -> None:
        match node:
            case Selector():
                self._selector(node)
            case Aggregate():
                self._aggregate(node)
            case Binary():
                self._binary(node)
            case Call():
                self._call(node)
            case Unary() if kind(node.expr) not in ("scalar", "vector"):
                allowed = "unary expression only allowed on expressions of type scalar or instant vector"
                raise self._error(node.span, f'{allowed}, got "{KIND_NAMES[kind(node.expr)]}"')
            case Subquery() if kind(node.expr) != "vector":
                complaint = f"subquery is only allowed on instant vector, got {kind(node.expr)} instead"
                raise self._error(node.span, complaint)
            case _:
                pass
        skipped = node.args[1:] if isinstance(node, Call) and node.name == "info" else ()
        for child in children(node):
            if child not in skipped:
                self.check(child)

    def _error(self, span: Span, complaint: str, hint: str = "") -> ParseError:
        return ParseError(self._query, span, complaint, hint)

    def _expect(self, node: Node, wanted: Kind, context: str) -> None:
        found = kind(node)
        if found == wanted:
            return
        complaint = f"expected type {KIND_NAMES[wanted]} in {context}, got {KIND_NAMES[found]}"
        raise self._error(node.span, complaint, self._type_hint(node, wanted))

    def _type_hint(self, node: Node, wanted: Kind) -> str:
        text = self._query[node.span.start : node.span.end]
        short = text if len(text) <= 40 else "..."
        found = kind(node)
        if wanted == "matrix" and found == "vector":
            is_selector = isinstance(bare(node), Selector)
            return f"Add a range: {short}[5m]." if is_selector else f"Add a subquery: ({short})[30m:1m]."
        if wanted == "vector" and found == "matrix":
            return "Take one value of the range, as rate(...) or avg_over_time(...) do."
        if wanted == "vector" and found == "scalar":
            return f"Make it a vector: vector({short})."
        if wanted == "scalar" and found == "vector":
            return f"Make it a scalar: scalar({short})."
        if wanted == "string":
            return "Write a text in quotes."
        return ""

    def _selector(self, node: Selector) -> None:
        if all(matcher.matches("") for matcher in node.matchers):
            raise self._error(
                node.span,
                "vector selector must contain at least one non-empty matcher",
                'Name a metric, or ask for a label that is there: {job!=""}.',
            )

    def _aggregate(self, node: Aggregate) -> None:
        self._expect(node.expr, "vector", "aggregation expression")
        if node.param is not None:
            wanted: Kind = "string" if node.op == "count_values" else "scalar"
            self._expect(node.param, wanted, "aggregation parameter")

    def _call(self, node: Call) -> None:
        signature = SIGNATURES[node.name]
        given = len(node.args)
        wanted = ""
        if given < signature.fewest:
            wanted = f"at least {signature.fewest}" if signature.optional else str(signature.fewest)
        elif given > signature.most:
            wanted = f"at most {signature.most}" if signature.optional else str(signature.fewest)
        if wanted:
            raise self._error(
                node.span, f'expected {wanted} argument(s) in call to "{node.name}", got {given}'
            )
        if node.name == "info" and given > 1:
            self._info_labels(node)
        for index, arg in enumerate(node.args):
            self._expect(arg, signature.kind_of(index), f'call to function "{node.name}"')

    def _info_labels(self, node: Call) -> None:
        labels = node.args[1]
        if not isinstance(labels, Selector):
            raise self._error(labels.span, "expected label selectors only", 'Write {label=~".+"}.')
        if labels.name:
            complaint = "expected label selectors only, got vector selector instead"
            raise self._error(labels.span, complaint, f'Write {{__name__="{labels.name}"}}.')

    def _binary(self, node: Binary) -> None:
        kinds = kind(node.lhs), kind(node.rhs)
        operator = self._operator(node)
        if node.returns_bool and node.op not in COMPARISONS:
            raise self._error(operator, "bool modifier can only be used on comparison operators")
        if node.op in COMPARISONS and not node.returns_bool and kinds == ("scalar", "scalar"):
            complaint = "comparisons between scalars must use BOOL modifier"
            raise self._error(operator, complaint, f"Write {node.op} bool.")
        for side, found in zip((node.lhs, node.rhs), kinds, strict=True):
            if found not in ("scalar", "vector"):
                raise self._error(side.span, _OPERANDS, self._type_hint(side, "vector"))
        both = set(node.matching.labels) & set(node.matching.include)
        if both and node.matching.on:
            label = min(both)
            raise self._error(operator, f'label "{label}" must not occur in ON and GROUP clause at once')
        self._matching(node, between_vectors=kinds == ("vector", "vector"))

    def _matching(self, node: Binary, *, between_vectors: bool) -> None:
        matching = node.matching
        fills = matching.fill_left is not None or matching.fill_right is not None
        complaint = ""
        if not between_vectors:
            if matching.labels:
                complaint = "vector matching only allowed between instant vectors"
            elif fills:
                complaint = "filling in missing series only allowed between instant vectors"
            elif node.op in SET_OPERATORS:
                complaint = f'set operator "{node.op}" not allowed in binary scalar expression'
        elif node.op in SET_OPERATORS:
            if matching.many:
                complaint = f'no grouping allowed for "{node.op}" operation'
            elif fills:
                complaint = "filling in missing series not allowed for set operators"
        if complaint:
            raise self._error(node.span, complaint)

    def _operator(self, node: Binary) -> Span:
        between = self._query[node.lhs.span.end : node.rhs.span.start]
        start = node.lhs.span.end + len(between) - len(between.lstrip())
        return Span(start, node.lhs.span.end + len(between.rstrip()))
