"""What Python calls: one function for each thing a person wants done, with progress and checks."""
