"""`python -m registry` is `moorage`."""

from registry.cli import main

if __name__ == "__main__":
    main()
