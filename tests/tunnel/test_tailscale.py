import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from structlog.testing import capture_logs

from sidecar.errors import TunnelError
from sidecar.tunnel.tailnet import place
from sidecar.tunnel.tailscale import (
    COMMAND_PATIENCE_MS,
    LOOK_EVERY_MS,
    ExposeResult,
    Mode,
    Tailscale,
    expose,
)
from tests.tunnel.field import Folder, HandClock, Heard

NAME = "phone.tail1234.ts.net"
URL = f"https://{NAME}/voice/webhook"
HOOK = {"Proxy": "http://127.0.0.1:3334/voice/webhook"}
STREAM = {"Proxy": "http://127.0.0.1:3334/voice/stream"}

Make = Callable[..., Tailscale]


@pytest.fixture
async def make(folder: Folder, clock: HandClock) -> AsyncIterator[Make]:
    made: list[Tailscale] = []

    def tunnel(mode: Mode = "serve", path: str = "/voice/webhook", port: int = 443) -> Tailscale:
        there = place(path, port, "/voice/webhook", "/voice/stream")
        made.append(Tailscale(mode, there, clock))
        return made[-1]

    yield tunnel
    async with asyncio.timeout(20):
        for each in made:
            await each.down()


def handlers(folder: Folder, port: int = 443) -> dict[str, Any]:
    web: dict[str, Any] = folder.get("served.json").get("Web", {})
    found: dict[str, Any] = web.get(f"{NAME}:{port}", {}).get("Handlers", {})
    return found


def changes(folder: Folder) -> list[list[str]]:
    """The calls that changed something."""
    calls = [line["argv"] for line in folder.lines("calls.jsonl")]
    return [argv for argv in calls if "status" not in argv]


async def test_serve_exposes_webhook_and_stream_and_takes_them_back(
    make: Make, folder: Folder
) -> None:
    tunnel = make()
    async with asyncio.timeout(20):
        assert await tunnel.up(3334) == URL
        assert handlers(folder) == {"/voice/webhook": HOOK, "/voice/stream": STREAM}
        assert not folder.get("served.json")["AllowFunnel"]
        await tunnel.down()
    assert handlers(folder) == {}
    flags = ["--bg", "--https=443"]
    assert changes(folder) == [
        ["serve", *flags, "--set-path=/voice/webhook", HOOK["Proxy"]],
        ["serve", *flags, "--set-path=/voice/stream", STREAM["Proxy"]],
        ["serve", "--https=443", "--set-path=/voice/webhook", "off"],
        ["serve", "--https=443", "--set-path=/voice/stream", "off"],
    ]


async def test_funnel_is_public_at_its_port_and_path(make: Make, folder: Folder) -> None:
    tunnel = make("funnel", "/pbx/voice/webhook", 8443)
    async with asyncio.timeout(20):
        assert await tunnel.up(3334) == f"https://{NAME}:8443/pbx/voice/webhook"
        assert handlers(folder, 8443) == {"/pbx/voice/webhook": HOOK, "/pbx/voice/stream": STREAM}
        assert folder.get("served.json")["AllowFunnel"] == {f"{NAME}:8443": True}
        await tunnel.down()
    assert not folder.get("served.json")["AllowFunnel"]


async def test_the_program_learns_none_of_our_secrets(make: Make, folder: Folder) -> None:
    async with asyncio.timeout(20):
        await make().up(3334)
    assert all("TWILIO_AUTH_TOKEN" not in c["environ"] for c in folder.lines("calls.jsonl"))


async def test_what_others_serve_stays(make: Make, folder: Folder) -> None:
    web = {f"{NAME}:443": {"Handlers": {"/wiki": {"Proxy": "http://127.0.0.1:80"}}}}
    folder.put("served.json", {"TCP": {"443": {"HTTPS": True}}, "Web": web})
    tunnel = make()
    async with asyncio.timeout(20):
        await tunnel.up(3334)
        await tunnel.down()
    assert handlers(folder) == {"/wiki": {"Proxy": "http://127.0.0.1:80"}}


async def test_what_others_took_over_meanwhile_is_not_removed(make: Make, folder: Folder) -> None:
    tunnel = make()
    other = {"Proxy": "http://127.0.0.1:80"}
    async with asyncio.timeout(20):
        await tunnel.up(3334)
        served = folder.get("served.json")
        served["Web"][f"{NAME}:443"]["Handlers"]["/voice/webhook"] = other
        folder.put("served.json", served)
        await tunnel.down()
    assert handlers(folder) == {"/voice/webhook": other}


async def test_what_stands_already_is_left_alone(make: Make, folder: Folder) -> None:
    tunnel = make()
    async with asyncio.timeout(20):
        await make().up(3334)
        before = changes(folder)
        assert await tunnel.up(3334) == URL
        assert await tunnel.up(3334) == URL
    assert changes(folder) == before


async def test_what_a_killed_sidecar_left_is_taken_over(make: Make, folder: Folder) -> None:
    async with asyncio.timeout(20):
        await make().up(4000)
        assert await make().up(3334) == URL
    assert handlers(folder)["/voice/webhook"] == HOOK


@pytest.mark.parametrize(
    ("mode", "machine", "part"),
    [
        ("serve", {"certificates": False}, "https://login.tailscale.com/admin/dns"),
        ("serve", {"operator": False}, "tailscale set --operator"),
        ("serve", {"serve": "waits"}, "https://login.tailscale.com/f/serve?node="),
        ("funnel", {"funnel": "waits"}, "https://login.tailscale.com/f/funnel?node="),
        ("funnel", {"funnel": "leaves"}, "https://login.tailscale.com/f/funnel?node="),
        ("funnel", {"funnel": "no-https"}, "HTTPS certificates are off"),
        ("funnel", {"funnel": "no-attribute"}, "attribute funnel"),
        ("funnel", {"funnel_ports": [8443]}, "set another tailscale.port"),
        ("funnel", {"shields": True}, "shields"),
        ("serve", {"foreground": 443}, "in a terminal holds this port"),
        ("serve", {"installed": "1.50"}, "update it to 1.52"),
    ],
)
async def test_what_only_a_person_can_change_is_a_clear_error(
    make: Make, folder: Folder, mode: Mode, machine: dict[str, Any], part: str
) -> None:
    folder.put("machine.json", machine)
    tunnel = make(mode)
    with pytest.raises(TunnelError) as caught:
        async with asyncio.timeout(20):
            await tunnel.up(3334)
    assert part in str(caught.value)
    assert tunnel.problem == caught.value.problem


async def test_a_missing_program_says_what_to_install(
    make: Make, folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(folder.path))
    with pytest.raises(TunnelError, match=r"install it \(https://tailscale.com/download\)"):
        async with asyncio.timeout(20):
            await make().up(3334)


@pytest.mark.parametrize(
    ("machine", "part"),
    [
        ({"daemon": False}, "start the tailscaled service"),
        ({"state": "NeedsLogin"}, "not logged in"),
        ({"garbage": True}, "cannot be read"),
        ({"serve_garbage": True}, "cannot be read"),
        ({"forgets": True}, "did not serve the webhook"),
    ],
)
async def test_what_may_pass_is_tried_again(
    make: Make, folder: Folder, clock: HandClock, machine: dict[str, Any], part: str
) -> None:
    folder.put("machine.json", machine)
    tunnel = make()
    async with asyncio.timeout(20):
        waiting = asyncio.create_task(tunnel.up(3334))
        await clock.asleep_for(1_000)
        assert tunnel.problem is not None
        assert part in tunnel.problem.message
        folder.put("machine.json", {})
        clock.advance(1_000)
        assert await waiting == URL
    assert tunnel.problem is None


async def test_a_program_that_hangs_is_given_up(
    make: Make, folder: Folder, clock: HandClock
) -> None:
    folder.put("machine.json", {"hangs": ["status"]})
    tunnel = make()
    async with asyncio.timeout(20):
        waiting = asyncio.create_task(tunnel.up(3334))
        await clock.pass_over(COMMAND_PATIENCE_MS)
        await clock.asleep_for(1_000)
        assert tunnel.problem is not None
        assert "does not answer" in tunnel.problem.message
        waiting.cancel()


async def test_a_reset_is_noticed_and_put_right(
    make: Make, folder: Folder, clock: HandClock
) -> None:
    tunnel = make()
    async with asyncio.timeout(20):
        await tunnel.up(3334)
        folder.put("served.json", {})
        await clock.pass_over(LOOK_EVERY_MS)
        await clock.asleep_for(LOOK_EVERY_MS)
    assert handlers(folder) == {"/voice/webhook": HOOK, "/voice/stream": STREAM}


async def test_a_logout_is_told_and_so_is_a_new_name(
    make: Make, folder: Folder, clock: HandClock
) -> None:
    tunnel, heard = make(), Heard()
    tunnel.on_change(heard)
    async with asyncio.timeout(20):
        await tunnel.up(3334)
        folder.put("machine.json", {"state": "NeedsLogin"})
        await clock.pass_over(LOOK_EVERY_MS)
        await heard.until(2)
        folder.put("machine.json", {"name": "new.tail1234.ts.net."})
        await clock.pass_over(1_000)
        await heard.until(3)
    assert heard.all == [URL, None, "https://new.tail1234.ts.net/voice/webhook"]


async def test_what_cannot_be_taken_back_is_logged_with_the_commands(
    make: Make, folder: Folder
) -> None:
    tunnel = make()
    async with asyncio.timeout(20):
        await tunnel.up(3334)
        folder.put("machine.json", {"state": "Stopped"})
        with capture_logs() as logs:
            await tunnel.down()
    (left,) = [entry for entry in logs if entry["event"] == "tunnel.left"]
    assert "tailscale serve --https=443 --set-path=/voice/webhook off" in left["remove_with"]


async def test_expose_serves_until_it_is_told_otherwise(folder: Folder, clock: HandClock) -> None:
    where = ("/voice/webhook", 8443, "/voice/webhook", "/voice/stream")
    async with asyncio.timeout(20):
        shown = await expose("funnel", *where, 3334, clock)
        assert shown == ExposeResult(
            "funnel",
            f"https://{NAME}:8443/voice/webhook",
            f"wss://{NAME}:8443/voice/stream",
            public=True,
        )
        assert handlers(folder, 8443) == {"/voice/webhook": HOOK, "/voice/stream": STREAM}
        shown = await expose("serve", *where, "127.0.0.1:3334", clock)
        assert not shown.public
        shown = await expose("off", *where, 3334, clock)
        assert shown == ExposeResult("off", removed=("/voice/webhook", "/voice/stream"))
        assert await expose("off", *where, 3334, clock) == ExposeResult("off")
    assert handlers(folder, 8443) == {}


@pytest.mark.parametrize(
    ("mode", "port", "part"),
    [("on", 443, "--mode must be"), ("funnel", 444, "443, 8443 or 10000")],
)
async def test_expose_refuses_what_makes_no_sense(
    folder: Folder, clock: HandClock, mode: str, port: int, part: str
) -> None:
    with pytest.raises(TunnelError, match=part) as caught:
        await expose(mode, "/voice/webhook", port, "/voice/webhook", "/voice/stream", 3334, clock)
    assert caught.value.problem.kind == "invalidParams"
    assert folder.lines("calls.jsonl") == []
