"""The rows of deliveries and receivers, behind ``store.deliveries``: lease, end, and keep the receivers' states."""
