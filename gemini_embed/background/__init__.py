"""What runs beside the caller: the one I/O thread, worker threads, and forks of both."""
