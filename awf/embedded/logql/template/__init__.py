"""Go's text templates as Loki gives them to `line_format` and `label_format`: own interpreter, bounded work."""

from awf.embedded.logql.template.evaluate import TEMPLATE_ERROR, Template
from awf.embedded.logql.template.values import TemplateError

__all__ = ["TEMPLATE_ERROR", "Template", "TemplateError"]
