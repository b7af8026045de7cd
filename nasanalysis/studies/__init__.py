"""What is compared with what: items of a study, the loop over them, the record of what was read."""
