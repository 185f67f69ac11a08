"""Calls on Twilio without a network."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.twilio_line import TwilioWorld


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[TwilioWorld]:
    async with TwilioWorld(tmp_path, inbound_policy="open") as world:
        yield world


@pytest.fixture
async def talkative(tmp_path: Path) -> AsyncIterator[TwilioWorld]:
    """With an agent that answers the caller."""
    async with TwilioWorld(tmp_path, agent=True, inbound_policy="open") as world:
        yield world
