"""A vault that asks a model in a server."""

from asked_servers import folder, server

__all__ = ["folder", "server"]
