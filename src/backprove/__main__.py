"""``python -m backprove`` is the command line."""

from backprove.app.command_line import main

if __name__ == "__main__":
    main()
