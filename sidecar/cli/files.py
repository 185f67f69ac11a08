"""The commands about files: `schema` and `import`."""

from pathlib import Path

from sidecar.cli.exits import DONE, FAILED
from sidecar.cli.output import Output
from sidecar.cli.site import Site
from sidecar.errors import HostError, Problem


async def schema(output: Output, out: Path, check: bool) -> int:
    from sidecar.rpc import export

    problems = export.check(out) if check else []
    written = [] if check else _written(out)
    if not output.for_people:
        told = {"ok": not problems, "problems": problems} if check else {"written": written}
        output.document(told)
    else:
        from sidecar.cli.show.checks import done
        from sidecar.cli.show.checks import problems as shown

        if problems:
            output.show(shown(problems))
        elif check:
            output.show(done(f"The schemas in {out} are up to date."))
        else:
            output.show(done(f"{len(written)} files written to {out}."))
    if problems:
        remedy = f"Write them with: voicecall schema --out {out}"
        output.complain(f"The schemas in {out} are stale.", remedy)
    return FAILED if problems else DONE


def _written(out: Path) -> list[str]:
    from sidecar.rpc import export

    try:
        return export.write(out)
    except OSError as error:
        text = f"The schemas cannot be written to {out}: {error.strerror}."
        raise HostError(Problem("invalidParams", text, data={"field": "out"})) from error


async def import_calls(output: Output, config: str | None, path: str) -> int:
    """Lines that cannot be read are told of and do not stop the others."""
    from sidecar.store.offline.importing import import_jsonl

    site = Site.load(config)
    result = import_jsonl(site.store, path)
    if output.for_people:
        from sidecar.cli.show.checks import done, problems

        told = f"{result.imported:,} calls imported, {result.skipped:,} were there already."
        output.show(done(told))
        output.show(problems(result.problems))
        if len(result.problems) < result.bad_lines:
            output.note(f"{result.bad_lines:,} lines could not be read; these are the first.")
    else:
        output.document(
            {
                "imported": result.imported,
                "skipped": result.skipped,
                "problems": list(result.problems),
            }
        )
    nothing_read = result.bad_lines and not (result.imported or result.skipped)
    return FAILED if nothing_read else DONE
