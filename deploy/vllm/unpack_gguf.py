"""Turns a model in GGUF into a folder that vLLM serves: `unpack_gguf.py MODEL.gguf FOLDER`.

Run with the Python of .venv-vllm. The weights are taken out of their quantisation (bfloat16).
"""

from __future__ import annotations

import sys
from pathlib import Path


def unpack(source: Path, folder: Path) -> None:
    """Writes weights, configuration, tokenizer and chat template."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

    torch.set_num_threads(1)
    home, name = str(source.parent), source.name
    tokenizer = AutoTokenizer.from_pretrained(home, gguf_file=name)
    model = AutoModelForCausalLM.from_pretrained(
        home, gguf_file=name, dtype="bfloat16", quantization_config=GgufConfig(dequantize=True)
    )
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


if __name__ == "__main__":
    unpack(Path(sys.argv[1]), Path(sys.argv[2]))
