"""What everything stands on: errors, frames, registries, seeding, atomic files, provenance, shipped resources."""
