"""The command line: arguments, printing, exit codes."""

import sys

from sidecar.descriptors import Claimed


def run(claimed: Claimed | None) -> None:
    """Run the command that the arguments name; exits with its code. `claimed` holds the protocol's
    descriptors when this is `serve` over stdio.

    A Gateway waits for `serve` to be ready, and the toolkit that reads arguments for people costs
    a tenth of that time. So a correct `serve` does without it; everything else goes through it.
    """
    from sidecar.cli.serving import read_plainly, serve

    wish = read_plainly(sys.argv[1:], claimed)
    if wish is not None:
        sys.exit(serve(wish, claimed))
    from sidecar.cli.commands import app

    app(obj=claimed)


__all__ = ["run"]
