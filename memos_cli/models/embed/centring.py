"""Centre vectors: subtract the part that all texts share, and the part that depends on the language.

Cosines of multilingual-e5-small lie between 0.73 and 0.93, and depend more on the two languages than on what
the texts say. Centred, a question has a cosine of 0.2 with the nearest of foreign texts and of 0.35 to 0.5
with its answer, within one language and across two. One mean for each script would leave 0.4 between foreign
texts in German or Vietnamese, since languages of one script differ as much as others.

The file ``e5_centre.npy``, made by ``scripts/calibrate_embedder.py``, has rows in half precision: the mean of
passages, the mean of questions, and orthonormal directions in which languages differ.
Source: Yang et al. 2021, "A Simple and Effective Method To Eliminate the Self Language Bias in Multilingual
Representations" (https://arxiv.org/abs/2109.04727).
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Vectors = NDArray[np.float32]

CENTRE = Path(__file__).with_name("e5_centre.npy")


def read_centre() -> Vectors:
    """Read the rows of the file."""
    import numpy as np

    rows: Vectors = np.load(CENTRE).astype(np.float32)
    return rows


def centre(vectors: Vectors, rows: Vectors, *, query: bool = False) -> Vectors:
    """Centre the rows of ``vectors`` with the ``rows`` of the file, and normalise them again."""
    import numpy as np

    centred: Vectors = vectors - rows[int(query)]
    centred -= (centred @ rows[2:].T) @ rows[2:]
    centred /= np.maximum(np.linalg.norm(centred, axis=1, keepdims=True), 1e-12)
    return centred
