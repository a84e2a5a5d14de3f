"""A call, from its endpoint to its events: parsed, executed within interceptors, and observed."""
