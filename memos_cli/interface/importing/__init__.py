"""Read what other programs have exported."""
