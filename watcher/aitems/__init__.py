"""The adapter to NAVER Cloud AiTEMS: the only place that knows what its requests and answers look like."""
