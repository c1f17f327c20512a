"""Attention kernels by plain arithmetic: flash_attn, flash_attn_interface, flash_attn_3 (windows, varlen), flex."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import torch
import torch.nn.attention.flex_attention
import torch.nn.functional as F

from .packages import provide

MODULES = (
    "flash_attn",
    "flash_attn.flash_attn_interface",
    "flash_attn.cute",
    "flash_attn.cute.interface",
    "flash_attn_interface",
    "flash_attn_3",
    "flash_attn_3.flash_attn_interface",
    "hopper",
    "hopper.flash_attn_interface",
)


def attend(
    q: torch.Tensor,
    k: torch.Tensor,
    v: torch.Tensor,
    *,
    scale: float | None = None,
    causal: bool = False,
    window: tuple[int, int] = (-1, -1),
    softcap: float = 0.0,
) -> torch.Tensor:
    """Attention of q [B, Tq, H, D] over k, v [B, Tk, Hk, D]; causal and window align to the last key, as in flash."""
    window = (-1, -1) if window is None or window[0] is None else window
    q, k, v = q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2)
    grouped = q.shape[1] != k.shape[1]
    queries, keys = q.shape[2], k.shape[2]
    if softcap == 0.0 and max(window) < 0 and (not causal or queries == keys):
        out = F.scaled_dot_product_attention(q, k, v, is_causal=causal, scale=scale, enable_gqa=grouped)
        return out.transpose(1, 2)
    visible = _visible(queries, keys, causal, window, q.device)
    if softcap == 0.0:
        out = F.scaled_dot_product_attention(q, k, v, attn_mask=visible, scale=scale, enable_gqa=grouped)
        return out.transpose(1, 2)
    if grouped:
        k, v = (t.repeat_interleave(q.shape[1] // t.shape[1], dim=1) for t in (k, v))
    logits = q @ k.transpose(-1, -2) * (scale if scale is not None else q.shape[-1] ** -0.5)
    logits = softcap * torch.tanh(logits / softcap)
    return (logits.masked_fill(~visible, float("-inf")).softmax(-1) @ v).transpose(1, 2)


def _visible(queries: int, keys: int, causal: bool, window: tuple[int, int], device: Any) -> torch.Tensor:
    """Which keys [Tk] each query [Tq] sees: distance 0 is the query's own position, counted from the end."""
    distance = (torch.arange(queries, device=device)[:, None] + (keys - queries)) - torch.arange(
        keys, device=device
    )
    visible = torch.ones(queries, keys, dtype=torch.bool, device=device)
    left, right = window
    if causal:
        right = 0
    if left >= 0:
        visible &= distance <= left
    if right >= 0:
        visible &= distance >= -right
    return visible


def flash_attn_func(
    q: torch.Tensor,
    k: torch.Tensor,
    v: torch.Tensor,
    dropout_p: float = 0.0,
    softmax_scale: float | None = None,
    causal: bool = False,
    window_size: tuple[int, int] = (-1, -1),
    softcap: float = 0.0,
    **ignored: Any,
) -> Any:
    """flash_attn_func of versions 2 and 3. q [B, T, H, D], k and v [B, T, Hk, D]; returns [B, T, H, D]."""
    out = attend(q, k, v, scale=softmax_scale, causal=causal, window=window_size, softcap=softcap)
    return _with_statistics(out, q, ignored)


def flash_attn_3_func(
    q: torch.Tensor,
    k: torch.Tensor,
    v: torch.Tensor,
    softmax_scale: float | None = None,
    causal: bool = False,
    **options: Any,
) -> Any:
    """flash_attn_func of flash_attn_interface, which takes no dropout."""
    return flash_attn_func(q, k, v, softmax_scale=softmax_scale, causal=causal, **options)


def flash_attn_varlen_func(
    q: torch.Tensor,
    k: torch.Tensor,
    v: torch.Tensor,
    cu_seqlens_q: torch.Tensor,
    cu_seqlens_k: torch.Tensor,
    max_seqlen_q: int | None = None,
    max_seqlen_k: int | None = None,
    dropout_p: float = 0.0,
    softmax_scale: float | None = None,
    causal: bool = False,
    window_size: tuple[int, int] = (-1, -1),
    softcap: float = 0.0,
    **ignored: Any,
) -> Any:
    """Packed sequences: q [total, H, D]; the sequence i spans cu_seqlens[i]..cu_seqlens[i+1]. Beyond: zeros."""
    parts = []
    ends_q, ends_k = cu_seqlens_q.tolist(), cu_seqlens_k.tolist()
    for i in range(len(ends_q) - 1):
        sq = slice(ends_q[i], min(ends_q[i + 1], q.shape[0]))
        sk = slice(ends_k[i], min(ends_k[i + 1], k.shape[0]))
        if sq.stop > sq.start:
            part = attend(
                q[None, sq], k[None, sk], v[None, sk], scale=softmax_scale, causal=causal, window=window_size,
                softcap=softcap,
            )  # fmt: skip
            parts.append(part[0])
    out = torch.cat(parts) if parts else v.new_zeros(0, q.shape[1], v.shape[-1])
    if out.shape[0] < q.shape[0]:
        out = torch.cat([out, out.new_zeros(q.shape[0] - out.shape[0], *out.shape[1:])])
    return _with_statistics(out, q, ignored)


def flash_attn_3_varlen_func(
    q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, *positions: Any, **options: Any
) -> Any:
    """flash_attn_varlen_func of flash_attn_interface: used sequence lengths may follow the maximal ones."""
    lengths = ("cu_seqlens_q", "cu_seqlens_k", "max_seqlen_q", "max_seqlen_k", "seqused_q", "seqused_k")
    names = (*lengths, "softmax_scale", "causal")
    options = dict(zip(names, positions, strict=False)) | options
    if options.pop("seqused_q", None) is not None or options.pop("seqused_k", None) is not None:
        raise NotImplementedError(
            "the emulator's flash_attn_varlen_func does not take seqused_q or seqused_k"
        )
    return flash_attn_varlen_func(q, k, v, **options)


def flash_attn_qkvpacked_func(qkv: torch.Tensor, *args: Any, **kwargs: Any) -> Any:
    """qkv [B, T, 3, H, D]."""
    q, k, v = qkv.unbind(2)
    return flash_attn_func(q, k, v, *args, **kwargs)


def flash_attn_kvpacked_func(q: torch.Tensor, kv: torch.Tensor, *args: Any, **kwargs: Any) -> Any:
    """kv [B, T, 2, Hk, D]."""
    k, v = kv.unbind(2)
    return flash_attn_func(q, k, v, *args, **kwargs)


def flash_attn_varlen_kvpacked_func(q: torch.Tensor, kv: torch.Tensor, *args: Any, **kwargs: Any) -> Any:
    """kv [total, 2, Hk, D]."""
    k, v = kv.unbind(1)
    return flash_attn_varlen_func(q, k, v, *args, **kwargs)


def flash_attn_varlen_qkvpacked_func(
    qkv: torch.Tensor, cu_seqlens: torch.Tensor, max_seqlen: int, *args: Any, **kwargs: Any
) -> Any:
    """qkv [total, 3, H, D]."""
    q, k, v = qkv.unbind(1)
    return flash_attn_varlen_func(q, k, v, cu_seqlens, cu_seqlens, max_seqlen, max_seqlen, *args, **kwargs)


def _with_statistics(out: torch.Tensor, q: torch.Tensor, options: dict[str, Any]) -> Any:
    if options.get("return_attn_probs") or options.get("return_softmax_lse") or options.get("return_lse"):
        raise NotImplementedError("the emulator's flash attention returns no softmax statistics")
    return out


class BlockMask:
    """What create_block_mask makes: here it only keeps the mask function."""

    def __init__(self, mask_mod: Callable[..., torch.Tensor], shape: tuple[Any, ...], block: Any) -> None:
        self.mask_mod, self.shape, self.BLOCK_SIZE = mask_mod, shape, block
        self.seq_lengths = shape[-2:]

    def to(self, *args: Any, **kwargs: Any) -> BlockMask:
        """There is only one device."""
        return self


def create_block_mask(
    mask_mod: Callable[..., torch.Tensor],
    B: int | None,
    H: int | None,
    Q_LEN: int,
    KV_LEN: int,
    device: Any = None,
    BLOCK_SIZE: Any = 128,
    **options: Any,
) -> BlockMask:
    """The mask of flex_attention, kept as its function."""
    return BlockMask(mask_mod, (B or 1, H or 1, Q_LEN, KV_LEN), BLOCK_SIZE)


def flex_attention(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    score_mod: Callable[..., torch.Tensor] | None = None,
    block_mask: BlockMask | None = None,
    scale: float | None = None,
    enable_gqa: bool = False,
    **options: Any,
) -> torch.Tensor:
    """flex_attention with every score computed. query [B, H, T, D]; modifications see index grids, not scalars."""
    if enable_gqa:
        key, value = (t.repeat_interleave(query.shape[1] // t.shape[1], dim=1) for t in (key, value))
    logits = query @ key.transpose(-1, -2) * (scale if scale is not None else query.shape[-1] ** -0.5)
    grids = [torch.arange(n).view([n if j == i else 1 for j in range(4)]) for i, n in enumerate(logits.shape)]
    if score_mod is not None:
        logits = score_mod(logits, *grids)
    if block_mask is not None:
        logits = logits.masked_fill(~block_mask.mask_mod(*grids), float("-inf"))
    return torch.nan_to_num(logits.softmax(-1)) @ value


@contextlib.contextmanager
def _any_kernel(*args: Any, **kwargs: Any) -> Iterator[None]:
    yield


def provide_flash() -> None:
    """Provide the flash modules."""
    common = {
        "flash_attn_func": flash_attn_func,
        "flash_attn_varlen_func": flash_attn_varlen_func,
        "flash_attn_qkvpacked_func": flash_attn_qkvpacked_func,
        "flash_attn_kvpacked_func": flash_attn_kvpacked_func,
        "flash_attn_varlen_qkvpacked_func": flash_attn_varlen_qkvpacked_func,
        "flash_attn_varlen_kvpacked_func": flash_attn_varlen_kvpacked_func,
    }
    third = {"flash_attn_func": flash_attn_3_func, "flash_attn_varlen_func": flash_attn_3_varlen_func}
    for name in MODULES:
        second = name in ("flash_attn", "flash_attn.flash_attn_interface")
        provide(name, common if second else common | third, version="2.8.3" if second else "3.0.0")


def install() -> None:
    """Provide the flash modules, and let every choice of kernels stand for the one there is."""
    provide_flash()
    t: Any = torch
    t.nn.attention.sdpa_kernel = t.backends.cuda.sdp_kernel = _any_kernel
    flex = t.nn.attention.flex_attention
    flex.flex_attention, flex.create_block_mask, flex.BlockMask = flex_attention, create_block_mask, BlockMask
