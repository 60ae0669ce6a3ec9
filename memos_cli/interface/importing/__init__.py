"""Read the exports of other programs."""
