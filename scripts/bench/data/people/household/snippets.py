# how we rotate the logs on the nas
def rotate(path, keep=14):
    """Keep the newest 14 archives, delete the rest."""
    ...


SSH_HOST = "nas.lan"  # user is backupbot, port 2222
