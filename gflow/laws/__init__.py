"""What the papers say; README.md beside this file holds the mathematics."""
