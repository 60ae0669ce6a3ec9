"""List, change, archive, link and forget memories."""
