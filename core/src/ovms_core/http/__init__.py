"""What stands between the socket and an endpoint."""
