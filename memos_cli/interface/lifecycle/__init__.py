"""Change memories after they are stored."""
