"""Receivers for Slack: a bot with a token, and incoming webhooks."""
