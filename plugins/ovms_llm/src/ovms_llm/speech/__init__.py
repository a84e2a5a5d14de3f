"""Speech formats: how families of models mark thoughts and tool calls. Imports no OpenVINO; used on both sides."""
