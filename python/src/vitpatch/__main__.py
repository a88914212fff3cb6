"""`vitpatch` and `python -m vitpatch`: replaces this process by the program."""

import os
import sys

from ._binary import executable
from ._errors import VitpatchError


def main() -> None:
    try:
        path = executable()
        os.execv(path, [path, *sys.argv[1:]])
    except (VitpatchError, OSError) as error:
        sys.exit(f"Error: {error}")


if __name__ == "__main__":
    main()
