"""The Batch API: half the price, for those who can wait; results go into the cache."""
