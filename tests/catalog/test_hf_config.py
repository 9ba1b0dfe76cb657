"""config.json of every family against the catalogue, and what is said of one that cannot be read."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from simulator.catalog import hf_config, load
from simulator.cost import shape
from simulator.errors import InputError

LLAMA = {
    "model_type": "llama",
    "hidden_size": 4096,
    "num_hidden_layers": 32,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "intermediate_size": 14336,
    "vocab_size": 128256,
    "max_position_embeddings": 131072,
}
MIXTRAL = {
    **LLAMA,
    "model_type": "mixtral",
    "vocab_size": 32000,
    "max_position_embeddings": 32768,
    "num_local_experts": 8,
    "num_experts_per_tok": 2,
    "sliding_window": None,
}
QWEN_MOE = {
    "model_type": "qwen3_moe",
    "hidden_size": 2048,
    "num_hidden_layers": 48,
    "num_attention_heads": 32,
    "num_key_value_heads": 4,
    "head_dim": 128,
    "intermediate_size": 6144,
    "moe_intermediate_size": 768,
    "num_experts": 128,
    "num_experts_per_tok": 8,
    "decoder_sparse_step": 1,
    "mlp_only_layers": [],
    "sliding_window": None,
    "use_sliding_window": False,
    "vocab_size": 151936,
    "max_position_embeddings": 40960,
}
DEEPSEEK = {
    "model_type": "deepseek_v3",
    "hidden_size": 7168,
    "num_hidden_layers": 61,
    "num_attention_heads": 128,
    "num_key_value_heads": 128,
    "intermediate_size": 18432,
    "moe_intermediate_size": 2048,
    "n_routed_experts": 256,
    "n_shared_experts": 1,
    "num_experts_per_tok": 8,
    "first_k_dense_replace": 3,
    "moe_layer_freq": 1,
    "q_lora_rank": 1536,
    "kv_lora_rank": 512,
    "qk_nope_head_dim": 128,
    "qk_rope_head_dim": 64,
    "v_head_dim": 128,
    "vocab_size": 129280,
    "max_position_embeddings": 163840,
    "quantization_config": {"quant_method": "fp8", "weight_block_size": [128, 128]},
}
GPT_OSS = {
    "model_type": "gpt_oss",
    "hidden_size": 2880,
    "num_hidden_layers": 36,
    "num_attention_heads": 64,
    "num_key_value_heads": 8,
    "head_dim": 64,
    "intermediate_size": 2880,
    "num_local_experts": 128,
    "num_experts_per_tok": 4,
    "layer_types": ["sliding_attention", "full_attention"] * 18,
    "sliding_window": 128,
    "vocab_size": 201088,
    "max_position_embeddings": 131072,
}


@pytest.mark.parametrize(
    ("config", "name"),
    [
        (LLAMA, "llama-3.1-8b"),
        (MIXTRAL, "mixtral-8x7b"),
        (QWEN_MOE, "qwen3-30b-a3b"),
        (DEEPSEEK, "deepseek-v3"),
        (GPT_OSS, "gpt-oss-120b"),
    ],
)
def test_a_config_reads_as_the_catalogue_has_it(config: dict[str, Any], name: str) -> None:
    unlike = {"name", "source", "aliases"}
    found, known = (asdict(model) for model in (hf_config.read(config, "x", "x"), load("models", name)))
    assert {key: value for key, value in found.items() if key not in unlike} == {
        key: value for key, value in known.items() if key not in unlike
    }


def read(**changes: Any) -> Any:
    return hf_config.read({**LLAMA, **changes}, "x", "x")


def test_gemma_ties_its_embeddings_and_alternates_windows() -> None:
    """Gemma 2 9B: 42 layers, every other one with 4096 keys; 9.24 billion parameters as published."""
    gemma = read(
        model_type="gemma2",
        hidden_size=3584,
        num_hidden_layers=42,
        num_attention_heads=16,
        num_key_value_heads=8,
        head_dim=256,
        intermediate_size=14336,
        vocab_size=256000,
        sliding_window=4096,
    )
    assert (gemma.sliding_layers, gemma.full_attention_layers, gemma.tie_word_embeddings) == (21, 21, True)
    assert shape.parameters(gemma).total / 1e9 == pytest.approx(9.24, abs=0.02)


def test_gemma_3_has_a_global_layer_in_six_and_nests_its_text_model() -> None:
    text = {**LLAMA, "model_type": "gemma3_text", "num_hidden_layers": 62, "sliding_window": 1024}
    found = hf_config.read({"model_type": "gemma3", "text_config": text}, "x", "x")
    assert (found.sliding_layers, found.full_attention_layers) == (52, 10)


def test_deepseek_v2_lite_has_no_query_latent() -> None:
    """16 billion parameters, 2.4 active, as published (15.7 and 2.66 with embeddings)."""
    lite = hf_config.read(
        {
            **DEEPSEEK,
            "model_type": "deepseek_v2",
            "hidden_size": 2048,
            "num_hidden_layers": 27,
            "num_attention_heads": 16,
            "intermediate_size": 10944,
            "moe_intermediate_size": 1408,
            "n_routed_experts": 64,
            "n_shared_experts": 2,
            "num_experts_per_tok": 6,
            "first_k_dense_replace": 1,
            "q_lora_rank": None,
            "vocab_size": 102400,
        },
        "lite",
        "x",
    )
    assert (lite.dense_layers, lite.q_lora_rank) == (1, 0)
    assert shape.parameters(lite).total / 1e9 == pytest.approx(15.7, abs=0.1)


def test_windows_that_are_switched_off_do_not_count() -> None:
    off = read(model_type="qwen2", sliding_window=4096, use_sliding_window=False, max_window_layers=28)
    on = read(model_type="qwen2", sliding_window=4096, use_sliding_window=True, max_window_layers=28)
    assert (off.sliding_layers, off.sliding_window) == (0, 0)
    assert (on.sliding_layers, on.sliding_window) == (4, 4096)
    assert read(model_type="mistral", sliding_window=4096).sliding_layers == 32
    assert read(model_type="mistral", sliding_window=None).sliding_layers == 0


def test_phi_and_opt_have_two_matrices() -> None:
    phi = read(
        model_type="phi",
        hidden_size=2560,
        num_attention_heads=32,
        num_key_value_heads=32,
        intermediate_size=10240,
        vocab_size=51200,
    )
    assert not phi.gated_mlp
    assert shape.parameters(phi).total / 1e9 == pytest.approx(2.78, abs=0.03)  # Phi-2: 2.78 billion
    opt = {
        key: value for key, value in LLAMA.items() if key not in ("intermediate_size", "num_key_value_heads")
    }
    found = hf_config.read({**opt, "model_type": "opt", "ffn_dim": 16384}, "x", "x")
    assert (found.intermediate_size, found.num_key_value_heads, found.gated_mlp) == (16384, 32, False)


def test_an_unknown_architecture_is_refused_with_what_it_lacks() -> None:
    with pytest.raises(InputError) as caught:
        hf_config.read({"model_type": "mamba", "hidden_size": 4096, "vocab_size": 32000}, "x", "x")
    text = str(caught.value)
    assert "unknown architecture 'mamba'" in text
    assert "num_attention_heads" in text and "llama" in text


def test_a_known_family_names_its_missing_fields() -> None:
    config = {
        key: value for key, value in DEEPSEEK.items() if key not in ("kv_lora_rank", "n_routed_experts")
    }
    with pytest.raises(InputError, match="deepseek_v3 lacks kv_lora_rank, n_routed_experts"):
        hf_config.read(config, "x", "x")
    with pytest.raises(InputError, match="lacks intermediate_size"):
        hf_config.read({key: value for key, value in LLAMA.items() if key != "intermediate_size"}, "x", "x")


def test_files_are_read_and_bad_ones_refused(tmp_path: Path) -> None:
    path = tmp_path / "my-model" / "config.json"
    path.parent.mkdir()
    path.write_text(json.dumps(LLAMA))
    assert hf_config.load(path).name == "my-model"
    path.write_text(json.dumps({**LLAMA, "_name_or_path": "org/other"}))
    assert hf_config.load(path).name == "org/other"
    for text in ("{", "[1, 2]", "x" * (1 << 21)):
        path.write_text(text)
        with pytest.raises(InputError):
            hf_config.load(path)
    with pytest.raises(InputError, match="cannot read"):
        hf_config.load(tmp_path / "nowhere.json")
