"""The lower layer: models. They never see the vault."""
