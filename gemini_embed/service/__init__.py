"""All that knows Google: its API, addresses, credentials and errors, and its SDK."""
