"""A Hugging Face config.json → Model: the families it knows, and what is missing otherwise.

Multimodal files: the language model alone (`text_config`); encoders are left out.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from simulator.catalog import Model
from simulator.errors import InputError, Problem

Config = Mapping[str, Any]

MAX_BYTES = 1 << 20


class Family(NamedTuple):
    """How one `model_type` departs from Llama. tied: its default of tie_word_embeddings; window: which layers
    have a sliding window if nothing else says so ("all", "alternate", "pattern" or ""); gated: three MLP
    matrices, else two; requires: fields that it cannot do without.
    """

    tied: bool = False
    window: str = ""
    gated: bool = True
    requires: tuple[str, ...] = ()


MLA = ("kv_lora_rank", "qk_nope_head_dim", "qk_rope_head_dim", "v_head_dim")
ROUTED = ("n_routed_experts", "num_experts_per_tok", "moe_intermediate_size")
FAMILIES = {
    "llama": Family(),
    "llama4_text": Family(requires=("num_local_experts", "num_experts_per_tok", "intermediate_size_mlp")),
    "mistral": Family(window="all"),
    "mixtral": Family(requires=("num_local_experts", "num_experts_per_tok")),
    "qwen2": Family(),
    "qwen2_moe": Family(requires=("num_experts", "num_experts_per_tok", "moe_intermediate_size")),
    "qwen3": Family(),
    "qwen3_moe": Family(requires=("num_experts", "num_experts_per_tok", "moe_intermediate_size")),
    "qwen3_5_text": Family(requires=("layer_types", "linear_num_key_heads", "linear_num_value_heads")),
    "qwen3_5_moe_text": Family(requires=("layer_types", "num_experts", "moe_intermediate_size")),
    "gemma": Family(tied=True),
    "gemma2": Family(tied=True, window="alternate"),
    "gemma3_text": Family(tied=True, window="pattern"),
    "gemma4_text": Family(tied=True, requires=("layer_types",)),
    "deepseek_v2": Family(requires=(*MLA, *ROUTED)),
    "deepseek_v3": Family(requires=(*MLA, *ROUTED)),
    "deepseek_v32": Family(requires=(*MLA, *ROUTED, "index_n_heads", "index_head_dim")),
    "kimi_k2": Family(requires=(*MLA, *ROUTED)),
    "glm_moe_dsa": Family(requires=(*MLA, *ROUTED, "index_n_heads", "index_head_dim")),
    "gpt_oss": Family(requires=("num_local_experts", "num_experts_per_tok", "layer_types")),
    "minimax_m2": Family(requires=("num_local_experts", "num_experts_per_tok")),
    "mimo_v2_flash": Family(requires=("n_routed_experts", "hybrid_layer_pattern", "moe_layer_freq")),
    "phi": Family(gated=False),
    "phi3": Family(window="all"),
    "phimoe": Family(requires=("num_local_experts", "num_experts_per_tok")),
    "opt": Family(tied=True, gated=False, requires=("ffn_dim",)),
}
REQUIRED = (
    "hidden_size",
    "num_hidden_layers",
    "num_attention_heads",
    "vocab_size",
    "max_position_embeddings",
)


def load(path: Path, where: str = "") -> Model:
    """The model of a config.json, named by its `_name_or_path`, else by its folder. Raises InputError."""
    place = where or str(path)
    try:
        if path.stat().st_size > MAX_BYTES:
            raise InputError(Problem(place, f"{path} is larger than {MAX_BYTES} bytes", "a config.json"))
        config = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(
            Problem(place, f"cannot read {path}: {error}", "a Hugging Face config.json")
        ) from error
    if not isinstance(config, dict):
        raise InputError(Problem(place, f"{path} holds no object", "a Hugging Face config.json"))
    name = str(config.get("_name_or_path") or path.resolve().parent.name)
    return read(config, name, f"{path}", place)


def read(config: Config, name: str, source: str, where: str = "") -> Model:
    """The model of a config. Raises InputError: an unknown architecture, or the fields that it lacks."""
    text = {**config, **config.get("text_config", {})}
    kind = str(text.get("model_type", ""))
    family = FAMILIES.get(kind)
    missing = [key for key in (*REQUIRED, *(family.requires if family else ())) if text.get(key) is None]
    if family and family.gated and not missing and _width(text) is None:
        missing.append("intermediate_size")
    if family is None or missing:
        raise InputError(_refusal(kind, family, missing, where))
    return Model(name=name, source=source, **_fields(text, family))


def _refusal(kind: str, family: Family | None, missing: list[str], where: str) -> Problem:
    lacks = f"lacks {', '.join(missing)}" if missing else "has the fields of a dense model, but may differ"
    if family is None:
        known = ", ".join(sorted(FAMILIES))
        hint = "give its shape inline under model: if it is like one of these"
        return Problem(
            where, f"unknown architecture {kind or 'without model_type'!r}: it {lacks}", known, hint
        )
    return Problem(where, f"config of {kind} {lacks}")


def _width(text: Config) -> int | None:
    """The dense MLP's width; Llama 4 names its dense layers' apart from its experts'."""
    names = ("intermediate_size_mlp", "intermediate_size", "ffn_dim", "moe_intermediate_size")
    return next((int(text[key]) for key in names if text.get(key) is not None), None)


def _fields(text: Config, family: Family) -> dict[str, Any]:
    layers, heads = int(text["num_hidden_layers"]), int(text["num_attention_heads"])
    moe = _moe_layers(text, layers)
    fields = {
        "hidden_size": int(text["hidden_size"]),
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "num_key_value_heads": int(text.get("num_key_value_heads") or heads),
        "head_dim": int(text.get("head_dim") or text["hidden_size"] // heads),
        "intermediate_size": _width(text) or 0,
        "vocab_size": int(text["vocab_size"]),
        "dense_layers": layers - moe,
        "gated_mlp": family.gated,
        "tie_word_embeddings": bool(text.get("tie_word_embeddings", family.tied)),
        "max_position_embeddings": int(text["max_position_embeddings"]),
        "learned_positions": int(text["max_position_embeddings"]) + 2 if "ffn_dim" in text else 0,
        "published": _published(text),
    }
    return fields | _experts(text, moe) | _kinds(text, family, layers) | _attention(text)


def _published(text: Config) -> str:
    """FP8 weights with a scale for each block: the one published form that says more than its dtype."""
    weights = text.get("quantization_config")
    if not isinstance(weights, Mapping) or weights.get("quant_method") != "fp8":
        return ""
    return "fp8_block" if weights.get("weight_block_size") else ""


def _experts(text: Config, moe: int) -> dict[str, Any]:
    if not moe:
        return {}
    width = int(text.get("moe_intermediate_size") or text["intermediate_size"])
    shared = int(text.get("n_shared_experts") or ("intermediate_size_mlp" in text))
    beside = text.get("shared_expert_intermediate_size")
    if text.get("enable_moe_block"):  # Gemma 4: a dense MLP beside the experts of every layer
        beside = text["intermediate_size"]
    return {
        "moe_layers": moe,
        "num_experts": int(_first(text, "num_local_experts", "num_experts", "n_routed_experts")),
        "num_experts_per_tok": int(_first(text, "num_experts_per_tok", "top_k_experts")),
        "moe_intermediate_size": width,
        "n_shared_experts": shared,
        "shared_expert_intermediate_size": int(beside or 0),
    }


def _moe_layers(text: Config, layers: int) -> int:
    """How many layers route tokens to experts."""
    if not _first(text, "num_local_experts", "num_experts", "n_routed_experts"):
        return 0
    every = text.get("moe_layer_freq", 1)
    if isinstance(every, list):
        return sum(map(bool, every))
    if "interleave_moe_layer_step" in text:
        return layers // int(text["interleave_moe_layer_step"])
    dense = int(text.get("first_k_dense_replace") or 0)
    only_dense = len(text.get("mlp_only_layers") or ())
    step = int(text.get("decoder_sparse_step") or every or 1)
    return (layers - dense) // step - only_dense


def _kinds(text: Config, family: Family, layers: int) -> dict[str, Any]:
    """Layers by kind of attention, and the window."""
    window = int(text.get("sliding_window") or 0)
    listed = text.get("layer_types")
    if isinstance(listed, list):
        counts = Counter(listed)
        sliding, linear = counts["sliding_attention"], counts["linear_attention"]
    elif "hybrid_layer_pattern" in text:
        sliding, linear = sum(map(bool, text["hybrid_layer_pattern"])), 0
    else:
        sliding, linear = _sliding(text, family, layers) if window else 0, 0
    return {
        "full_attention_layers": layers - sliding - linear,
        "sliding_layers": sliding,
        "linear_attention_layers": linear,
        "sliding_window": window if sliding else 0,
    }


def _sliding(text: Config, family: Family, layers: int) -> int:
    if "use_sliding_window" in text:
        first = int(text.get("max_window_layers") or 0)
        return max(0, layers - first) if text["use_sliding_window"] else 0
    if family.window == "pattern":
        every = int(text.get("sliding_window_pattern") or 6)
        return layers - layers // every
    return {"all": layers, "alternate": (layers + 1) // 2}.get(family.window, 0)


def _attention(text: Config) -> dict[str, Any]:
    """Latent ranks, an indexer, heads that differ by kind of layer, linear attention."""
    names = (
        *("q_lora_rank", "kv_lora_rank", "qk_nope_head_dim", "qk_rope_head_dim", "v_head_dim"),
        *("index_n_heads", "index_head_dim", "index_topk"),
        *("linear_num_key_heads", "linear_num_value_heads", "linear_key_head_dim", "linear_value_head_dim"),
        "linear_conv_kernel_dim",
    )
    found: dict[str, Any] = {name: int(text[name]) for name in names if text.get(name)}
    for field, name in (
        ("full_head_dim", "global_head_dim"),
        ("full_key_value_heads", "num_global_key_value_heads"),
        ("sliding_key_value_heads", "swa_num_key_value_heads"),
    ):
        if text.get(name):
            found[field] = int(text[name])
    return found | {"attention_output_gate": bool(text.get("attn_output_gate", False))}


def _first(text: Config, *names: str) -> Any:
    """The first of these fields that is set; 0 if none is."""
    return next((text[name] for name in names if text.get(name)), 0)
