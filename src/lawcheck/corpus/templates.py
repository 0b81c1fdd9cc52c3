"""A chat template as transformers renders it, without what that does around every conversation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


class Template:
    """The text of a conversation, equal to that of `tokenizer.apply_chat_template`.

    That copies every message and fills a context with all that a template may call: half of the
    time of encoding a row from known pieces.
    """

    def __init__(self, tokenizer: Any) -> None:
        from transformers.utils.chat_template_utils import _compile_jinja_template

        self._compiled = _compile_jinja_template(tokenizer.get_chat_template())
        self._fixed = {
            **self._compiled.globals,
            **tokenizer.special_tokens_map,
            "tools": None,
            "documents": None,
        }

    def __call__(self, messages: Sequence[Mapping[str, str]], begin_answer: bool) -> str:
        """begin_answer: whether the text ends where the assistant begins to write."""
        own = {"messages": messages, "add_generation_prompt": begin_answer}
        context = self._compiled.new_context({**self._fixed, **own}, shared=True)
        return "".join(self._compiled.root_render_func(context))
