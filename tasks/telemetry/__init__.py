"""What Penstock tells an observability system: traces, metrics, and logs that machines read. Off by default."""
