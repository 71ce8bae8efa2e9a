"""Run the command line from a checkout: python cli.py scan posts.jsonl."""

import sys

from moderation.cli import main

sys.exit(main())
