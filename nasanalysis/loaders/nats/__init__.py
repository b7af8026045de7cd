"""Official NATS-Bench folders."""
