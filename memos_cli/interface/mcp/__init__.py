"""The vault as an MCP server (Model Context Protocol), and the settings files of its clients."""
