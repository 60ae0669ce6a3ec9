"""Commands that agents run, and that set agents up: hooks and the MCP server."""
