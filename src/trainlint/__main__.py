"""`python -m trainlint` is the console script `trainlint`."""

from trainlint.cli import main

main()
