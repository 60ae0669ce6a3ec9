"""Exchange memories between vaults and programs: export formats, bundles, signatures, publications.

The interchange bundle ("mip") is specified in store_format.md.
"""
