"""The ``taco`` command. Exit codes: 0 done, 1 it did not work out, 2 called wrongly."""

from gateway.cli.commands import main

__all__ = ["main"]
