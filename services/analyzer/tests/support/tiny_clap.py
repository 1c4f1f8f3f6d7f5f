"""A tiny CLAP model with random weights, made on the spot and saved as real ones are."""

from __future__ import annotations

import json
from pathlib import Path


def make_tiny_clap(folder: Path, *, seed: int = 0) -> Path:
    """Saves model, tokenizer and feature extractor to ``folder`` in the formats of real ones."""
    import torch
    from transformers import (
        ClapConfig,
        ClapFeatureExtractor,
        ClapModel,
        ClapProcessor,
        RobertaTokenizer,
    )

    torch.manual_seed(seed)
    audio = {
        "patch_embeds_hidden_size": 8,
        "hidden_size": 16,
        "depths": [1, 1],
        "num_attention_heads": [2, 2],
        "enable_fusion": False,
    }
    text = {
        "vocab_size": 300,
        "hidden_size": 16,
        "intermediate_size": 16,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "max_position_embeddings": 130,
    }
    config = ClapConfig(text_config=text, audio_config=audio, projection_dim=12)
    ClapModel(config).save_pretrained(folder)
    tokenizer = RobertaTokenizer(*_alphabet(folder))
    ClapProcessor(ClapFeatureExtractor(truncation="rand_trunc"), tokenizer).save_pretrained(folder)
    return folder


def _alphabet(folder: Path) -> tuple[str, str]:
    """A vocabulary of bytes alone, as Roberta's tokenizer writes them, and no merges."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    unprintable = [byte for byte in range(256) if byte not in printable]
    letters = [chr(byte) for byte in printable]
    letters += [chr(256 + number) for number in range(len(unprintable))]
    words = ["<s>", "<pad>", "</s>", "<unk>", *letters, "<mask>"]
    vocabulary, merges = folder / "vocab.json", folder / "merges.txt"
    vocabulary.write_text(json.dumps({word: number for number, word in enumerate(words)}))
    merges.write_text("#version: 0.2\n")
    return str(vocabulary), str(merges)
