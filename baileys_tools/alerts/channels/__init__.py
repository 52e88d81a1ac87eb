"""Where alerts go: a webhook, Telegram, and whatever Apprise knows."""
