"""``ovms image``: draws on a server, shows the picture as it forms, writes the files."""
