"""The shell: clocks, keys, files."""
