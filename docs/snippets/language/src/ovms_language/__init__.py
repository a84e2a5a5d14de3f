"""Language identification for ovms-core."""
