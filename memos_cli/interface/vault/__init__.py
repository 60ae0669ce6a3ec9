"""The vault as a whole: create, back up, restore, maintain, inspect."""
