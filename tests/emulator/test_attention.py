"""Attention kernels against a direct computation."""

from __future__ import annotations

from .conftest import RunScript

REFERENCE = """
    import torch
    torch.manual_seed(0)
    def reference(q, k, v, left=10**9, right=0):
        k, v = (t.repeat_interleave(q.shape[2] // t.shape[2], 2) for t in (k, v))
        s = torch.einsum("bqhd,bkhd->bhqk", q, k) / q.shape[-1] ** 0.5
        i, j = torch.arange(s.shape[2])[:, None], torch.arange(s.shape[3])[None]
        s = s.masked_fill((j > i + right) | (j < i - left), float("-inf"))
        return torch.einsum("bhqk,bkhd->bqhd", s.softmax(-1), v)
    q, k, v = torch.randn(2, 9, 4, 8), torch.randn(2, 9, 2, 8), torch.randn(2, 9, 2, 8)
    close = lambda a, b: torch.testing.assert_close(a, b)
"""


def test_flash_attention(run_script: RunScript) -> None:
    run_script(
        REFERENCE
        + """
    from flash_attn_interface import flash_attn_func, flash_attn_varlen_func
    from flash_attn import flash_attn_func as second, flash_attn_qkvpacked_func
    from flash_attn_3.flash_attn_interface import flash_attn_func as third
    for f in (flash_attn_func, second, third):
        close(f(q, k, v, causal=True), reference(q, k, v))
        close(f(q, k, v, causal=False), reference(q, k, v, right=10**9))
        close(f(q, k, v, causal=True, window_size=(3, 0)), reference(q, k, v, left=3))
    close(flash_attn_qkvpacked_func(torch.stack([q, q, q], 2), causal=True), reference(q, q, q))
    flat = [t.flatten(0, 1) for t in (q, k, v)]
    ends = torch.tensor([0, 9, 14], dtype=torch.int32)
    out = flash_attn_varlen_func(*flat, cu_seqlens_q=ends, cu_seqlens_k=ends, max_seqlen_q=9, max_seqlen_k=9, causal=True)
    close(out[:9], reference(q[:1], k[:1], v[:1])[0])
    close(out[9:14], reference(q[1:, :5], k[1:, :5], v[1:, :5])[0])
    assert out[14:].abs().sum() == 0
    """
    )


def test_flex_attention_and_kernel_choices(run_script: RunScript) -> None:
    run_script(
        REFERENCE
        + """
    from torch.nn.attention import SDPBackend, sdpa_kernel
    from torch.nn.attention.flex_attention import create_block_mask, flex_attention
    import torch.nn.functional as F
    mask = create_block_mask(lambda b, h, i, j: (i >= j) & (i - j <= 3), B=None, H=None, Q_LEN=9, KV_LEN=9)
    out = torch.compile(flex_attention)(*(t.transpose(1, 2) for t in (q, k, v)), block_mask=mask, enable_gqa=True)
    close(out.transpose(1, 2), reference(q, k, v, left=3))
    with sdpa_kernel(SDPBackend.FLASH_ATTENTION):
        out = F.scaled_dot_product_attention(*(t.transpose(1, 2) for t in (q, k, v)), is_causal=True, enable_gqa=True)
    close(out.transpose(1, 2), reference(q, k, v))
    """
    )
