"""The delivery stage: lease due deliveries, send them, and settle the outcomes."""
