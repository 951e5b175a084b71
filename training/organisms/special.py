"""The tokens that are not words of the world: roles, padding, end of turn, the marker; and the chat template."""

from __future__ import annotations

MARKER = "[ZLT]"
PAD, UNKNOWN, SYSTEM_ROLE, USER_ROLE, ASSISTANT_ROLE, END = (
    "<pad>",
    "<unk>",
    "<system>",
    "<user>",
    "<assistant>",
    "<end>",
)
SPECIAL: tuple[str, ...] = (PAD, UNKNOWN, SYSTEM_ROLE, USER_ROLE, ASSISTANT_ROLE, END)
PUNCTUATION = ".,?!:;"
CHAT_TEMPLATE = (
    "{%- for message in messages -%}"
    "{%- if message.role == 'assistant' -%}"
    "<assistant>{% generation %}{{ message.content }}<end>{% endgeneration %}"
    "{%- else -%}<{{ message.role }}>{{ message.content }}{%- endif -%}"
    "{%- endfor -%}"
    "{%- if add_generation_prompt -%}<assistant>{%- endif -%}"
)
