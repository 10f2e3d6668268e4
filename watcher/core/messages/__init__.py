"""Messages: the text of each event, without markup."""
