"""Keep and restore saved model states."""
