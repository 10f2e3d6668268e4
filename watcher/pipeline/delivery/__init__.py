"""Delivery stage: lease what is due, send it, and settle the outcome."""
