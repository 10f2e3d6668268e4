"""Deliveries: requests, outcomes, and the decision after each attempt."""
