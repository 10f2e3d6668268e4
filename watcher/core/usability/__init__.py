"""Whether a completed training can be used: whether AiTEMS has an inference result of it."""
