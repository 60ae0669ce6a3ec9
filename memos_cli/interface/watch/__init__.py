"""Keep folders and imported stores up to date while they change."""
