"""What is read off a network; knows nothing of the flow that made it."""
