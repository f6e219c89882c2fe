"""`python -m fabsight` is the command line."""

from fabsight.cli import main

if __name__ == "__main__":
    main()
