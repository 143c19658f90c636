"""`python -m gflow`."""

from gflow.cli import main

if __name__ == "__main__":
    main()
