"""Put memories in: files, folders, exports of other programs."""
