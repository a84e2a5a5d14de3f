"""The first-party speech formats, a family of models each. Listed in `ovms_llm.speech.registry`."""
