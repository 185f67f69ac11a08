"""What holds for every test: generated examples are not timed, because machines are shared."""

import signal

from hypothesis import HealthCheck, settings

settings.register_profile("shared", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("shared")

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # Jobs that a shell puts into the background ignore Ctrl-C, and so would every program that the
    # tests spawn and interrupt.
    signal.signal(signal.SIGINT, signal.default_int_handler)
