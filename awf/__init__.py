"""AWF: observability that acts, for teams that run AI-agent workflows.

Importing this package needs no third-party library; exporters, servers and stores are extras.
"""

__version__ = "0.1.0"
