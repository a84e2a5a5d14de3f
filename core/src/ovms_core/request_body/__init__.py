"""Bodies of requests: read, validated, and complained of. Endpoints are made of them."""
