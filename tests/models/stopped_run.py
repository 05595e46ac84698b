"""`samestyle`, with a training that stops after seven steps as if it were interrupted there."""

import sys
from functools import partialmethod

from models.training.loop import Trainer
from service.cli import app

if __name__ == "__main__":
    Trainer.run = partialmethod(Trainer.run, until=7)  # type: ignore[method-assign,assignment]
    app(sys.argv[1:])
