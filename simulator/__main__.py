"""`python -m simulator` is `sim`."""

from simulator.cli import main

main()
