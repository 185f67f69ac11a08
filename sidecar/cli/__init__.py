"""The command line: arguments, printing, exit codes."""

from sidecar.cli.commands import run

__all__ = ["run"]
