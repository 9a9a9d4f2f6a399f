"""Placeholder until the redactor lands."""


class Redactor:
    def __init__(self, counters: object = None) -> None: ...

    def text(self, text: str) -> str:
        return text

    def value(self, name: str, value: object) -> object:
        return value
