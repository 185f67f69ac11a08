import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from sidecar.errors import TunnelError
from sidecar.tunnel.child import (
    STOP_PATIENCE_MS,
    Child,
    child_environment,
    find_program,
    in_time,
    missing,
    run,
)
from tests.tunnel.field import Folder, HandClock, gone

ROOT = Path(__file__).parent.parent.parent


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


ENVIRON = child_environment([], {})


async def started(code: str, clock: HandClock) -> tuple[Child, list[str]]:
    """A child that has printed its first line, and its lines."""
    child = await Child.start(python(code), ENVIRON, clock, merged=True)
    lines: list[str] = []
    first = asyncio.Event()

    def hear(line: str) -> None:
        lines.append(line)
        first.set()

    reading = asyncio.create_task(child.read_lines(hear))
    async with asyncio.timeout(20):
        await first.wait()
    reading.cancel()
    await asyncio.wait({reading})
    return child, lines


async def test_a_command_gives_its_output_errors_and_status(clock: HandClock) -> None:
    code = "import sys; print('out'); print('err', file=sys.stderr); sys.exit(3)"
    async with asyncio.timeout(20):
        outcome = await run(python(code), ENVIRON, clock, 1_000)
    assert (outcome.status, outcome.output, outcome.errors) == (3, "out", "err")
    assert "out" in outcome.text
    assert "err" in outcome.text


async def test_of_an_endless_output_the_beginning_is_kept(clock: HandClock) -> None:
    async with asyncio.timeout(20):
        outcome = await run(python("print('x\\n' * 20_000)"), ENVIRON, clock, 1_000)
    assert len(outcome.output.splitlines()) == 10_000


async def test_a_command_that_takes_too_long_is_stopped(clock: HandClock) -> None:
    code = "import signal; print('begun', flush=True); signal.pause()"
    async with asyncio.timeout(20):
        running = asyncio.create_task(run(python(code), ENVIRON, clock, 1_234))
        await clock.pass_over(1_234)
        outcome = await running
    assert outcome.status is None


async def test_a_command_is_stopped_when_it_said_enough_on_either_stream(clock: HandClock) -> None:
    for stream in ("stdout", "stderr"):
        code = f"import sys, signal; print('stop here', file=sys.{stream}, flush=True)"
        code += "; signal.pause()"
        async with asyncio.timeout(20):
            outcome = await run(python(code), ENVIRON, clock, 1_000, lambda line: "stop" in line)
        assert outcome.status is None
        assert "stop here" in outcome.text


async def test_bytes_that_are_no_text_and_endless_lines_are_read_as_short_lines(
    clock: HandClock,
) -> None:
    code = (
        "import sys; o = sys.stdout.buffer; o.write(b'\\xff\\xfe\\n' + b'x' * 500_000 + b'\\r\\n');"
        "o.write(b'last')"
    )
    async with asyncio.timeout(20):
        outcome = await run(python(code), ENVIRON, clock, 1_000)
    odd, long, last = outcome.output.split("\n")
    assert odd == "\ufffd\ufffd"
    assert set(long) == {"x"}
    assert len(long) <= 1 << 14
    assert last == "last"


async def test_what_is_no_program_is_a_tunnel_error(clock: HandClock, tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    broken.write_bytes(b"\x7fELF broken")
    broken.chmod(0o755)
    with pytest.raises(TunnelError, match="broken is installed but cannot be run"):
        async with asyncio.timeout(20):
            await run([str(broken)], ENVIRON, clock, 1_000)


async def test_without_a_leash_too_what_is_no_program_is_a_tunnel_error(
    clock: HandClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    with pytest.raises(TunnelError, match="cannot be run"):
        await Child.start([str(tmp_path / "nothing")], ENVIRON, clock)


async def test_a_child_has_a_process_group_of_its_own_and_nothing_on_stdin(
    clock: HandClock,
) -> None:
    code = "import os, sys; print(os.getpgid(0), repr(sys.stdin.read()))"
    async with asyncio.timeout(20):
        outcome = await run(python(code), ENVIRON, clock, 1_000)
    group, read = outcome.output.split()
    assert int(group) != os.getpgid(0)
    assert read == "''"


async def test_stopping_asks_first_and_reaches_grandchildren(clock: HandClock) -> None:
    code = (
        "import subprocess, sys, signal;"
        "p = subprocess.Popen([sys.executable, '-c', 'import signal; signal.pause()']);"
        "print(p.pid, flush=True); signal.pause()"
    )
    child, lines = await started(code, clock)
    async with asyncio.timeout(20):
        await child.stop()
        assert await child.wait() == -signal.SIGTERM
        await gone(child.pid)
        await gone(int(lines[0]))
        await child.stop()


async def test_a_child_that_does_not_listen_is_killed(clock: HandClock) -> None:
    code = (
        "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
        "print('deaf', flush=True)\nwhile True: signal.pause()"
    )
    child, _ = await started(code, clock)
    async with asyncio.timeout(20):
        stopping = asyncio.create_task(child.stop())
        await clock.pass_over(STOP_PATIENCE_MS)
        await stopping
        assert await child.wait() == -signal.SIGKILL


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends a child with its parent")
async def test_a_child_dies_when_we_are_killed() -> None:
    code = """
import asyncio, sys
from sidecar.engine.clock import SystemClock
from sidecar.tunnel.child import Child, child_environment
async def main():
    code = "import signal; signal.signal(15, signal.SIG_IGN); print('up', flush=True)"
    code += "\\nwhile True: signal.pause()"
    argv = [sys.executable, "-c", code]
    child = await Child.start(argv, child_environment([], {}), SystemClock())
    await child.read_lines(lambda line: print(child.pid, flush=True))
asyncio.run(main())
"""
    command = [sys.executable, "-c", code]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT, text=True) as parent:
        assert parent.stdout is not None
        pid = int(await asyncio.to_thread(parent.stdout.readline))
        parent.kill()
        async with asyncio.timeout(20):
            await gone(pid)


@pytest.mark.skipif(sys.platform != "linux", reason="the leash is for Linux")
def test_a_leash_whose_holder_is_gone_starts_nothing() -> None:
    leash = ROOT / "sidecar" / "tunnel" / "leash.py"
    command = [sys.executable, "-I", "-S", str(leash), "1", "/bin/echo", "started"]
    ended = subprocess.run(command, capture_output=True, check=False)
    assert (ended.returncode, ended.stdout) == (126, b"")


def test_a_child_gets_its_own_settings_and_none_of_our_secrets(folder: Folder) -> None:
    environ = child_environment(["NGROK_"], {"NGROK_AUTHTOKEN": "t"})
    assert environ["NGROK_AUTHTOKEN"] == "t"
    assert environ["NGROK_STANDIN_DIR"] == str(folder.path)
    assert {"PATH", "HOME"} <= environ.keys()
    assert not {"TWILIO_AUTH_TOKEN", "TS_STANDIN_DIR"} & environ.keys()


def test_a_program_is_found_on_the_search_path_only(folder: Folder) -> None:
    found = find_program("ngrok")
    assert found is not None
    assert os.path.isabs(found)
    assert find_program("no-such-program") is None
    problem = missing("ngrok", "https://ngrok.com/download", "tunnel.provider")
    assert "install it (https://ngrok.com/download)" in problem.message
    assert not problem.retryable


async def test_work_that_ends_in_time_is_told_from_work_that_does_not(clock: HandClock) -> None:
    async with asyncio.timeout(20):
        waiting = asyncio.create_task(in_time(clock, 10, asyncio.Event().wait()))
        await clock.pass_over(10)
        assert await waiting is False
        done = asyncio.Event()
        done.set()
        assert await in_time(clock, 10, done.wait()) is True
