"""Move photos into one folder a month, by the date in their file names."""

import re
from pathlib import Path

STAMP = re.compile(r"(?P<year>20\d\d)-?(?P<month>\d\d)-?\d\d")


def month_of(name: str) -> str | None:
    """The folder for a file name: "IMG_20260314_1.jpg" belongs in "2026-03". None without a date."""
    match = STAMP.search(name)
    return f"{match['year']}-{match['month']}" if match else None


def sort_photos(inbox: Path, archive: Path) -> int:
    """Move every dated photo from the inbox into the archive. Returns how many were moved."""
    moved = 0
    for photo in sorted(inbox.glob("*.jpg")):
        month = month_of(photo.name)
        if month is None:
            continue
        folder = archive / month
        folder.mkdir(parents=True, exist_ok=True)
        photo.rename(folder / photo.name)
        moved += 1
    return moved
