"""The adapter to NAVER Cloud AiTEMS; no other package knows the format of its requests and answers."""
