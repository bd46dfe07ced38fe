"""Modules that travel inside an encoder's folder, so that sentence-transformers loads it where Tolman isn't installed.

The files beside this one are copied as they are. They import sentence-transformers and what it needs, never Tolman, and
Tolman never imports them.
"""

import json
import shutil
from pathlib import Path


def write_portable(folder: Path, module: str, class_name: str) -> None:
    """Make `folder` loadable: `SentenceTransformer(folder, trust_remote_code=True)`.

    Args:
        folder: holds an encoder already.
        module: name of a file beside this one, without .py.
        class_name: the class in it.
    """
    shutil.copyfile(Path(__file__).with_name(f"{module}.py"), folder / f"{module}.py")
    modules = [{"idx": 0, "name": "0", "path": "", "type": f"{module}.{class_name}"}]
    settings = {"prompts": {"query": "", "document": ""}, "default_prompt_name": None, "similarity_fn_name": "cosine"}
    for name, content in (("modules.json", modules), ("config_sentence_transformers.json", settings)):
        (folder / name).write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
