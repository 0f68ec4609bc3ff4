"""The status page at ``/``, for people: read from Redis, made on the server, without any script."""
