"""Encoders: photos and texts into vectors of one joint space.

```python
from models import Encoders, ProductInput

encoders = Encoders.load("models/default", device="cpu")
vectors = encoders.embed([ProductInput(image=jpeg_bytes, text="red mug"), ProductInput(text="red mug")])
```
"""

from models.bundle import Bundle
from models.embedder import Embedder, Encoded, Prepared, ProductInput
from models.encoders import Encoders
from models.standin import StandInEncoders

__all__ = ["Bundle", "Embedder", "Encoded", "Encoders", "Prepared", "ProductInput", "StandInEncoders"]
