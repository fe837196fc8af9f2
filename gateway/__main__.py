"""``python -m gateway`` is the ``taco`` command."""

from gateway.cli import main

main(prog_name="taco")
