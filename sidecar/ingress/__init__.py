"""The street door: the HTTP listener that carriers, and every stranger, can reach."""

from sidecar.ingress.server import Listener, MediaDoor
from sidecar.ingress.sockets import ListenFailed, PortTaken

__all__ = ["ListenFailed", "Listener", "MediaDoor", "PortTaken"]
