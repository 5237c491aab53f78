"""Hash of the numbers in arrays."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import numpy as np

_DTYPES = {"b": "bool", "i": "<i4", "u": "<i4", "f": "<f8"}  # of numbers in a hash, by kind


def content_hash(arrays: Mapping[str, np.ndarray]) -> str:
    """Compute the SHA-256 of names, shapes and numbers: equal for equal numbers of other precision or byte order.

    Raises
    ------
    TypeError
        Where an array holds Python objects, whose bytes are their places in memory.

    Examples
    --------
    >>> content_hash({"x": np.ones(2)}) == content_hash({"x": np.ones(2, "float32")})
    True
    """
    digest = hashlib.sha256()
    for name, values in arrays.items():
        kind = values.dtype.kind
        if kind == "O":
            raise TypeError(f"the array {name!r} holds Python objects; expected numbers or text: convert it (astype)")
        wide = kind in "iu" and values.size and max(abs(int(values.min())), int(values.max())) >= 2**31
        array = np.ascontiguousarray(values, "<i8" if wide else _DTYPES.get(kind, values.dtype))
        digest.update(f"{name}{array.shape}".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()
