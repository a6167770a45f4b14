"""What stands in for rows that were read but not kept."""

from __future__ import annotations

from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from alliancekit.core.errors import FitError, message

Floats = NDArray[np.float64]


class AbsentRows:
    """An array, or a frame, of known shape whose values are gone; any use of them raises ``FitError``.

    Attributes
    ----------
    shape : (n, ...). products, means : sums of the products of its columns, (q, q), and their means, (q,), where kept.
    source : what tells the file from others.

    Examples
    --------
    >>> rows = AbsentRows((10, 2))
    >>> rows.shape, len(rows)
    ((10, 2), 10)
    >>> rows[0]
    Traceback (most recent call last):
        ...
    alliancekit.core.errors.FitError: this fit read its file in chunks and kept no rows: ...
    """

    def __init__(
        self, shape: tuple[int, ...], products: Floats | None = None, means: Floats | None = None, source: str = ""
    ) -> None:
        self.shape = shape
        self.products = np.zeros((0, 0)) if products is None else products
        self.means = np.zeros(0) if means is None else means
        self.source = source

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """Number of values."""
        out = 1
        for length in self.shape:
            out *= length
        return out

    def __len__(self) -> int:
        return self.shape[0]

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        self._refuse()

    def _refuse(self, *_: Any, **__: Any) -> NoReturn:
        do = "Fit the model to the rows themselves, ak.mixed(formula, pd.read_parquet(path)), or to a part of them"
        raise FitError(message("this fit read its file in chunks and kept no rows: this needs them", do=do))

    def __reduce__(self) -> tuple[Any, ...]:
        return AbsentRows, (self.shape, self.products, self.means, self.source)

    __getitem__ = __iter__ = __array__ = __matmul__ = __rmatmul__ = _refuse
    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __truediv__ = __rtruediv__ = _refuse
    __lt__ = __gt__ = __le__ = __ge__ = __neg__ = __pow__ = _refuse
