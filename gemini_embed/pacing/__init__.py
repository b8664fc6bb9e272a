"""Who may send when: what is known of a quota, what refusals teach of it, and the queue before it.

Nothing here performs I/O or sleeps, and `now` comes in with every question; only `gate` waits.
"""
