"""The routes that every server has: models, health, version, metrics, documentation."""
