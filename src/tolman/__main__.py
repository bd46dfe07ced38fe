"""What `tolman` and `python -m tolman` run. Nothing is imported until an interruption can be caught."""

import sys


def main() -> None:
    """Run the command line, exit; Ctrl-C ends it with one line from the first moment on."""
    try:
        from tolman.cli import main as run

        run()
    except KeyboardInterrupt:
        print("error: interrupted before anything was begun", file=sys.stderr)
        sys.exit(130)


if __name__ == "__main__":
    main()
