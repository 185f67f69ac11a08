"""`setup`: the readiness checks, of the running sidecar or, without one, of what it would find."""

from collections.abc import Mapping
from typing import Any

from sidecar.app.carriers import absent
from sidecar.cli.exits import DONE, FAILED, NoSidecar
from sidecar.cli.output import Output
from sidecar.cli.site import Site
from sidecar.errors import StoreError
from sidecar.ports import Check
from sidecar.rpc.methods.readiness import readiness


async def setup(output: Output, config: str | None) -> int:
    result = await check(Site.load(config))
    present(output, result)
    return DONE if result["ok"] else FAILED


async def check(site: Site) -> Mapping[str, Any]:
    try:
        async with site.client() as client:
            return await client.request("voicecall.setup")
    except NoSidecar as error:
        stand_in = absent(site.loaded.config)
        checks = [*(stand_in.checks() if stand_in else ()), _store(site), _sidecar(error)]
        return readiness(site.loaded.config, site.loaded.warnings, checks)


def present(output: Output, result: Mapping[str, Any]) -> None:
    if output.for_people:
        from sidecar.cli.show.checks import readiness as shown

        output.show(shown(result))
    else:
        output.document(result)


def _store(site: Site) -> Check:
    try:
        site.read(lambda reader: reader.last_seq())
    except StoreError as error:
        return Check("store", "fail", str(error), key="store")
    return Check("store", "ok", f"The store is {site.store}.", key="store")


def _sidecar(error: NoSidecar) -> Check:
    """Not a fault: whoever sets up a sidecar has none yet."""
    return Check("sidecar", "ok", f"{error} These checks are of the configuration.")
