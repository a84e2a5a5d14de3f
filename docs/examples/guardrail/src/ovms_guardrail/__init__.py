"""A guardrail for ovms-core: blocks requests and redacts answers that hold forbidden words."""
