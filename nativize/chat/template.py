"""Prompt templates as Jinja, so that training, transformers and llama.cpp apply the same text.

A template stands in the tuned model's tokenizer_config.json. Jinja keeps to what llama.cpp's
interpreter knows. Sources: tatsu-lab/stanford_alpaca (prompt.py), facebookresearch/llama
(generation.py).
"""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from jinja2.sandbox import ImmutableSandboxedEnvironment

TEMPLATES = {
    "alpaca": (
        "{{ bos_token }}"
        "{% if messages[0]['role'] == 'system' %}{{ messages[0]['content'] }}"
        "{% else %}Below is an instruction that describes a task. Write a response that"
        " appropriately completes the request.{% endif %}"
        "{% for message in messages %}"
        "{% if message['role'] == 'user' %}"
        "{{ '\\n\\n### Instruction:\\n' + message['content'] + '\\n\\n### Response:\\n' }}"
        "{% elif message['role'] == 'assistant' %}"
        "{{ message['content'] + eos_token }}"
        "{% endif %}{% endfor %}"
    ),
    "llama2": (
        "{% set system = '' %}"
        "{% if messages[0]['role'] == 'system' %}"
        "{% set system = '<<SYS>>\\n' + messages[0]['content'] + '\\n<</SYS>>\\n\\n' %}"
        "{% set turns = messages[1:] %}{% else %}{% set turns = messages %}{% endif %}"
        "{% for message in turns %}"
        "{% if message['role'] == 'user' %}"
        "{{ bos_token + '[INST] ' + (system if loop.first else '')"
        " + message['content'] + ' [/INST]' }}"
        "{% elif message['role'] == 'assistant' %}"
        "{{ ' ' + message['content'] + ' ' + eos_token }}"
        "{% endif %}{% endfor %}"
    ),
}
"""Name → Jinja chat template. The prompt ends where the answer begins, so a generation prompt
adds nothing."""


def read_template(data: Path) -> str:
    """The Jinja template that instruction data is told in."""
    template = json.loads((data / "template.json").read_text(encoding="utf-8"))
    return str(template["chat_template"])


def plain_teller(template: str) -> Callable[[Sequence[Mapping[str, str]]], str]:
    """What tells a dialogue as plain text: as transformers would, but without control tokens."""
    # transformers' settings of Jinja
    environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True)
    told = environment.from_string(template)
    return lambda messages: told.render(messages=messages, bos_token="", eos_token="")
