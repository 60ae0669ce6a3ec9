"""Rights, tokens and the audit log."""
