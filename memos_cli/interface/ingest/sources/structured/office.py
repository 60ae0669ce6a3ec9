"""PDF, Office and e-book files, as the Markdown that markitdown makes of them, and mails."""

from __future__ import annotations

import io
import warnings
import zipfile
from pathlib import PurePath

from memos_cli.errors import MemosError
from memos_cli.interface.ingest.sources.structured.mail import convert_mail

_ZIPPED = frozenset((".docx", ".pptx", ".xlsx", ".epub"))


def convert(data: bytes, name: str) -> bytes:
    """Return a document as Markdown in UTF-8. Raises MemosError if no converter can read it."""
    if name.lower().endswith(".eml"):
        return convert_mail(data)
    try:
        from markitdown import MarkItDown, MarkItDownException, MissingDependencyException, StreamInfo
    except ImportError as error:
        raise MemosError(
            f"reading {PurePath(name).suffix or 'this kind of'} files needs markitdown",
            "pip install 'memos-cli[documents]'",
        ) from error
    suffix = PurePath(name).suffix.lower() or ".pdf"
    if suffix in _ZIPPED and not zipfile.is_zipfile(io.BytesIO(data)):  # markitdown would take it for text
        raise MemosError(f"this is not a complete {suffix} file", "fetch or save it again")
    try:
        with warnings.catch_warnings():  # its dependencies warn about what they would like to have
            warnings.simplefilter("ignore")
            converter = MarkItDown(enable_plugins=False)
            result = converter.convert_stream(io.BytesIO(data), stream_info=StreamInfo(extension=suffix))
    except MissingDependencyException as error:
        raise MemosError(
            f"reading {suffix} files needs more of markitdown", "pip install 'memos-cli[documents]'"
        ) from error
    except MarkItDownException as error:
        first_line = (str(error).splitlines() or ["no reason given"])[0]
        raise MemosError(
            f"markitdown cannot read it: {first_line}",
            "open it in its own program: is it complete, and without a password?",
        ) from error
    return result.markdown.encode("utf-8", "replace")  # type: ignore[no-any-return]
