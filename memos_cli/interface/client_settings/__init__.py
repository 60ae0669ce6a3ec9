"""Change the settings files of other programs: JSON with comments, TOML and YAML, one entry at a time."""
