"""The methods clients call: params validated, the engine asked, the result in the wire's shape."""

from sidecar.rpc.methods.services import Services
from sidecar.rpc.methods.table import handlers

__all__ = ["Services", "handlers"]
