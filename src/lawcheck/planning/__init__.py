"""Which runs a law needs, how they share jobs, what they take: time, memory, storage, cost."""
