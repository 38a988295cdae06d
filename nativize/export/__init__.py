"""What people take home: GGUF files for llama.cpp, held equal to the model they come from."""

from nativize.artifact import Stage
from nativize.export.export import export_gguf
from nativize.export.llama_server import LlamaServer, generate

EXPORT = Stage(
    name="gguf_export",
    version=2,
    group="export",
    inputs=("sft_model", "deduplicated_corpus", "replay_corpus"),
    reads=("export",),
)

__all__ = ["EXPORT", "LlamaServer", "export_gguf", "generate"]
