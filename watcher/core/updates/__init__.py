"""The updates of an interval service: a completed version that AiTEMS trains again by a cycle."""
