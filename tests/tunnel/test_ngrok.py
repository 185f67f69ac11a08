import asyncio
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from structlog.testing import capture_logs

from sidecar.config import Tunnel as Settings
from sidecar.errors import TunnelError
from sidecar.tunnel.child import STOP_PATIENCE_MS
from sidecar.tunnel.ngrok import (
    ADDRESS_PATIENCE_MS,
    RECONNECT_PATIENCE_MS,
    SAME_ADDRESS_AFTER_MS,
    Ngrok,
)
from tests.tunnel.field import TOKEN, Folder, HandClock, Heard, gone

FIRST = "https://a1b2-198-51-100-7.ngrok-free.app/voice/webhook"
SECOND = "https://a2b2-198-51-100-7.ngrok-free.app/voice/webhook"

Make = Callable[..., Ngrok]


@pytest.fixture
async def make(folder: Folder, clock: HandClock) -> AsyncIterator[Make]:
    made: list[Ngrok] = []

    def tunnel(*plan: str, token: str | None = TOKEN, **settings: Any) -> Ngrok:
        folder.put("plan.json", plan or ["works"])
        values = {"provider": "ngrok", "ngrokAuthToken": token, **settings}
        made.append(Ngrok(Settings.model_validate(values), "/voice/webhook", clock))
        return made[-1]

    yield tunnel
    async with asyncio.timeout(20):
        for each in made:
            await each.down()


def listened(tunnel: Ngrok) -> Heard:
    heard = Heard()
    tunnel.on_change(heard)
    return heard


async def test_up_gives_the_webhook_url_and_down_ends_the_agent(make: Make, folder: Folder) -> None:
    tunnel = make()
    heard = listened(tunnel)
    async with asyncio.timeout(20):
        assert await tunnel.up(3334) == FIRST
        (start,) = folder.lines("starts.jsonl")
        assert start["argv"][1:] == [
            *("http", "http://127.0.0.1:3334", "--log", "stdout"),
            *("--log-format", "json", "--log-level", "info"),
        ]
        await tunnel.down()
        await gone(start["pid"])
    assert heard.all == [FIRST]
    assert tunnel.problem is None


async def test_the_token_is_in_the_environment_and_our_other_secrets_are_not(
    make: Make, folder: Folder
) -> None:
    async with asyncio.timeout(20):
        await make().up(3334)
    (start,) = folder.lines("starts.jsonl")
    assert start["environ"]["NGROK_AUTHTOKEN"] == TOKEN
    assert "TWILIO_AUTH_TOKEN" not in start["environ"]
    assert TOKEN not in " ".join(start["argv"])


async def test_a_reserved_domain_is_asked_for(make: Make) -> None:
    async with asyncio.timeout(20):
        url = await make(ngrokDomain="me.ngrok.app").up(3334)
    assert url == "https://me.ngrok.app/voice/webhook"


@pytest.mark.parametrize(
    ("token", "code"),
    [
        (None, "ERR_NGROK_4018"),
        ("no-token-at-all", "ERR_NGROK_105"),
        ("revoked_" + TOKEN, "ERR_NGROK_107"),
    ],
)
async def test_a_token_that_ngrok_refuses_is_a_clear_error_and_stays_secret(
    make: Make, token: str | None, code: str
) -> None:
    tunnel = make(token=token)
    with capture_logs() as logs, pytest.raises(TunnelError, match=code) as caught:
        async with asyncio.timeout(20):
            await tunnel.up(3334)
    assert "tunnel.ngrokAuthToken" in str(caught.value)
    assert tunnel.problem == caught.value.problem
    said = json.dumps(logs)
    assert code in said
    assert token is None or token not in said


@pytest.mark.parametrize(
    ("plan", "part"), [("old", "ngrok update"), ("foreign", "check tunnel.ngrokDomain")]
)
async def test_what_only_the_user_can_change_is_raised(make: Make, plan: str, part: str) -> None:
    with pytest.raises(TunnelError, match=part):
        async with asyncio.timeout(20):
            await make(plan, ngrokDomain="me.ngrok.app").up(3334)


async def test_a_missing_program_says_what_to_install(
    make: Make, folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(folder.path))
    with pytest.raises(TunnelError, match=r"install it \(https://ngrok.com/download\)"):
        async with asyncio.timeout(20):
            await make().up(3334)


async def test_a_program_for_another_machine_is_a_clear_error(
    make: Make, folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder.path / "ngrok").write_bytes(b"\x7fELF?")
    (folder.path / "ngrok").chmod(0o755)
    monkeypatch.setenv("PATH", str(folder.path))
    with pytest.raises(TunnelError, match="cannot be run"):
        async with asyncio.timeout(20):
            await make().up(3334)


@pytest.mark.parametrize(
    ("plan", "part"),
    [("limit", "ERR_NGROK_108"), ("taken", "ERR_NGROK_334"), ("quiet", "no public URL")],
)
async def test_what_passes_by_itself_is_tried_again(
    make: Make, clock: HandClock, plan: str, part: str
) -> None:
    tunnel = make(plan, "works")
    async with asyncio.timeout(20):
        waiting = asyncio.create_task(tunnel.up(3334))
        await clock.asleep_for(1_000)
        assert tunnel.problem is not None
        assert part in tunnel.problem.message
        clock.advance(1_000)
        assert await waiting == SECOND


async def test_garbage_in_the_log_is_passed_over(make: Make) -> None:
    async with asyncio.timeout(20):
        assert await make("garbage").up(3334) == FIRST


@pytest.mark.parametrize(
    ("plan", "last_words", "part"),
    [
        ("hangs", "starting web service", "no public URL"),
        ("offline", "failed to reconnect", "network"),
    ],
)
async def test_an_agent_without_an_address_is_replaced(
    make: Make, clock: HandClock, plan: str, last_words: str, part: str
) -> None:
    tunnel = make(plan, "works")
    with capture_logs() as logs:
        async with asyncio.timeout(20):
            waiting = asyncio.create_task(tunnel.up(3334))
            while last_words not in json.dumps(logs):
                await asyncio.sleep(0)
            await clock.pass_over(ADDRESS_PATIENCE_MS)
            if plan == "hangs":
                await clock.pass_over(STOP_PATIENCE_MS)
            await clock.asleep_for(1_000)
            assert tunnel.problem is not None
            assert part in tunnel.problem.message
            clock.advance(1_000)
            assert await waiting == SECOND


async def test_a_death_is_noticed_and_the_new_address_is_told(make: Make, clock: HandClock) -> None:
    tunnel = make("dies", "works")
    heard = listened(tunnel)
    async with asyncio.timeout(20):
        assert await tunnel.up(3334) == FIRST
        await heard.until(2)
        assert tunnel.problem is not None
        await clock.pass_over(1_000)
        assert await heard.until(3) == [FIRST, None, SECOND]
    assert tunnel.problem is None


async def test_a_lost_session_counts_after_a_while(make: Make, clock: HandClock) -> None:
    tunnel = make("loses")
    heard = listened(tunnel)
    async with asyncio.timeout(20):
        await tunnel.up(3334)
        await clock.pass_over(RECONNECT_PATIENCE_MS)
        assert await heard.until(2) == [FIRST, None]
    assert tunnel.problem is not None
    assert "lost its connection" in tunnel.problem.message


async def test_a_session_that_comes_back_at_once_changes_nothing(
    make: Make, clock: HandClock
) -> None:
    tunnel = make("reconnects")
    heard = listened(tunnel)
    async with asyncio.timeout(20):
        await tunnel.up(3334)
        await clock.pass_over(SAME_ADDRESS_AFTER_MS)
    clock.advance(RECONNECT_PATIENCE_MS)
    assert heard.all == [FIRST]


async def test_a_session_that_comes_back_elsewhere_is_told(make: Make) -> None:
    tunnel = make("moves")
    heard = listened(tunnel)
    async with asyncio.timeout(20):
        await tunnel.up(3334)
        assert await heard.until(2) == [FIRST, "https://moved.ngrok-free.app/voice/webhook"]
