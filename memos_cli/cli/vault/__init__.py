"""The vault as a whole: create, inspect, back up, maintain, and its saved filters."""
