"""Anthropic's Messages API for ovms-core, over the models of ovms-llm."""
