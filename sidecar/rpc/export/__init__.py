"""What `schemas/` holds, written from the wire models, and the document `rpc.discover` answers.

Heavy parts are imported when first used: a sidecar that nobody asks never loads them.
"""

from functools import cache
from pathlib import Path
from typing import Any


@cache
def openrpc() -> dict[str, Any]:
    """The OpenRPC document of the requests a client may send."""
    from sidecar.rpc.export.document import document

    return document()


def build() -> dict[str, str]:
    """Every file of `schemas/`: its name inside the directory and its text."""
    from sidecar.rpc.export.files import build as build_files

    return build_files()


def write(out: Path) -> list[str]:
    """Write every file into `out`; gives their names. Examples of types that are gone go too."""
    from sidecar.rpc.export.files import write as write_files

    return write_files(out)


def check(out: Path) -> list[str]:
    """What is missing, stale or left over in `out`, one sentence each."""
    from sidecar.rpc.export.files import check as check_files

    return check_files(out)
