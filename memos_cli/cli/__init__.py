"""The command line: the only place that knows Typer, Rich or a terminal.

commands.py lists every command and the function that runs it; the subpackages have the names of the
interface's.
"""
