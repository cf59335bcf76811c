"""What rankers are fitted on: snapshots in time, cases, item statistics."""
