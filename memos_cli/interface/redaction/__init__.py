"""Secrets and personal data: find and mask them before text is stored or leaves the vault."""
