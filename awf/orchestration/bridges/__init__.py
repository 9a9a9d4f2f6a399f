"""Bridges: callbacks of other agent frameworks, turned into workflow events. One file per framework.

Nothing here runs workflows, and no framework is imported before a bridge to it is made.
"""
