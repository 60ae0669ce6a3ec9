"""Jupyter notebooks: a cell is its source and the text that it printed.

Source: https://nbformat.readthedocs.io/en/latest/format_description.html, version 4.
"""

from __future__ import annotations

from typing import Any


def read_cell(value: Any) -> Any:
    """Return a cell as its source and the text that it printed; any other value as it is."""
    if not isinstance(value, dict) or not {"cell_type", "source"} <= value.keys():
        return value
    outputs = value.get("outputs")
    printed = [_printed(each) for each in outputs] if isinstance(outputs, list) else []
    parts = (_joined(part).strip("\n") for part in (value["source"], *printed))
    return {"text": "\n\n".join(part for part in parts if part and not part.isspace())}


def _printed(output: object) -> object:
    if not isinstance(output, dict):
        return None
    data = output.get("data")
    return output.get("text") or (data.get("text/plain") if isinstance(data, dict) else None)


def _joined(text: object) -> str:
    """Text that may be a list of its lines; '' for anything else."""
    if isinstance(text, list) and all(isinstance(line, str) for line in text):
        return "".join(text)
    return text if isinstance(text, str) else ""
