"""The loss that both tiers are trained with."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch.nn import functional

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["policy_loss"]


def policy_loss(
    logits: torch.Tensor,
    targets: NDArray[np.float32],
    weights: NDArray[np.float32],
    smoothing: float,
) -> torch.Tensor:
    """Return the weighted binary cross-entropy of the known targets, summed over policies.

    Args:
        logits: (rows, policies).
        targets: float32 (rows, policies), probabilities; NaN where unknown.
        weights: float32 (rows,).
        smoothing: share of a target given to the opposite.

    Returns:
        The mean over rows, a scalar.
    """
    target = torch.from_numpy(targets)
    known = ~torch.isnan(target)
    smooth = torch.nan_to_num(target) * (1 - 2 * smoothing) + smoothing
    each = functional.binary_cross_entropy_with_logits(logits, smooth, reduction="none")
    return (each * known * torch.from_numpy(weights)[:, None]).sum() / len(logits)
