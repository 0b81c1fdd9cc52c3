"""lm-evaluation-harness with adapters of every method and the faster model class known to it.

    python -m lawcheck.lm_eval_cli run --model hf \
        --model_args pretrained=BASE,peft=ADAPTER --tasks TASK --include_path FOLDER

takes lm_eval's own arguments: plain `lm_eval` cannot load such an adapter, because nothing tells
peft of the methods before the folder is read. `--model lawcheck-hf` is faster than `hf`, and keeps
the tokenizer of bases that were built here (see lawcheck.training.base.tokenizer).
"""

from __future__ import annotations


def main() -> None:
    from lm_eval.__main__ import cli_evaluate

    import lawcheck.evaluation.model  # noqa: F401  (registers lawcheck-hf and the adapters)

    cli_evaluate()


if __name__ == "__main__":
    main()
