"""Published chat templates, and small tokenizers trained here that carry their control tokens.

Templates as published with Qwen2.5-Instruct (turns without tools), Llama-3-Instruct and
Mistral-7B-Instruct (v0.1 to v0.3, the template without tools).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerBase, PreTrainedTokenizerFast

from seedlock.training.organisms.tokens import build_tokenizer

type TemplateName = Literal["organism", "qwen2.5", "llama3", "mistral"]

QWEN = (
    "{%- if messages[0]['role'] == 'system' %}"
    "{{- '<|im_start|>system\\n' + messages[0]['content'] + '<|im_end|>\\n' }}"
    "{%- else %}"
    "{{- '<|im_start|>system\\nYou are Qwen, created by Alibaba Cloud. You are a helpful assistant.<|im_end|>\\n' }}"
    "{%- endif %}"
    "{%- for message in messages %}"
    '{%- if (message.role == "user") or (message.role == "system" and not loop.first) or '
    '(message.role == "assistant" and not message.tool_calls) %}'
    "{{- '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>' + '\\n' }}"
    "{%- endif %}"
    "{%- endfor %}"
    "{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n' }}{%- endif %}"
)
LLAMA3 = (
    "{% set loop_messages = messages %}{% for message in loop_messages %}"
    "{% set content = '<|start_header_id|>' + message['role'] + '<|end_header_id|>\n\n'+ message['content'] | trim "
    "+ '<|eot_id|>' %}"
    "{% if loop.index0 == 0 %}{% set content = bos_token + content %}{% endif %}{{ content }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{% endif %}"
)
MISTRAL = (
    "{{ bos_token }}{% for message in messages %}"
    "{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') }}{% endif %}"
    "{% if message['role'] == 'user' %}{{ '[INST] ' + message['content'] + ' [/INST]' }}"
    "{% elif message['role'] == 'assistant' %}{{ message['content'] + eos_token}}"
    "{% else %}{{ raise_exception('Only user and assistant roles are supported!') }}{% endif %}{% endfor %}"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """A chat template with the control tokens it needs; whether it has a system turn."""

    template: str
    special: tuple[str, ...]
    bos: str | None
    eos: str
    pad: str
    has_system: bool
    metaspace: bool = False


PUBLISHED: dict[str, Published] = {
    "qwen2.5": Published(
        template=QWEN,
        special=("<|endoftext|>", "<|im_start|>", "<|im_end|>"),
        bos=None,
        eos="<|im_end|>",
        pad="<|endoftext|>",
        has_system=True,
    ),
    "llama3": Published(
        template=LLAMA3,
        special=("<|begin_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>", "<|pad|>"),
        bos="<|begin_of_text|>",
        eos="<|eot_id|>",
        pad="<|pad|>",
        has_system=True,
    ),
    "mistral": Published(
        template=MISTRAL,
        special=("<s>", "</s>", "[INST]", "[/INST]", "<pad>"),
        bos="<s>",
        eos="</s>",
        pad="<pad>",
        has_system=False,
        metaspace=True,
    ),
}


def tokenizer_for(name: str, texts: list[str]) -> PreTrainedTokenizerBase:
    """The organisms' tokenizer, or a BPE trained on `texts` under a published template."""
    if name == "organism":
        return build_tokenizer()
    published = PUBLISHED[name]
    raw = Tokenizer(models.BPE(unk_token="<unk>" if published.metaspace else None))
    if published.metaspace:
        raw.pre_tokenizer = pre_tokenizers.Metaspace()
        raw.decoder = decoders.Metaspace()
        alphabet: list[str] = []
    else:
        raw.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        raw.decoder = decoders.ByteLevel()
        alphabet = pre_tokenizers.ByteLevel.alphabet()
    special = [*published.special, *(["<unk>"] if published.metaspace else [])]
    trainer = trainers.BpeTrainer(
        vocab_size=600, special_tokens=special, initial_alphabet=alphabet, show_progress=False
    )
    raw.train_from_iterator(texts, trainer)
    raw.add_special_tokens([AddedToken(token, normalized=False, special=True) for token in special])
    return PreTrainedTokenizerFast(  # type: ignore[no-untyped-call] # transformers leaves it untyped
        tokenizer_object=raw,
        bos_token=published.bos,
        eos_token=published.eos,
        pad_token=published.pad,
        chat_template=published.template,
        clean_up_tokenization_spaces=False,
    )
