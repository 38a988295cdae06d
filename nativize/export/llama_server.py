"""llama.cpp, embedded: what an exported file does in the program people will run it with.

`xllamacpp` carries llama.cpp and its server in one wheel. It is bound to the loopback address
and guarded by a key of its own, as its defaults let any web page talk to it.
"""

import json
import secrets
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from nativize.errors import ExportError

SILENT = -1
REQUEST_SECONDS = 600


class LlamaServer:
    """llama.cpp with one model on the CPU, for as long as the ``with`` block lasts."""

    def __init__(self, gguf: Path, *, context_tokens: int = 512) -> None:
        """Loads the file.

        Raises:
            ExportError: llama.cpp refuses it.
        """
        import xllamacpp

        self.gguf = gguf
        self._key = secrets.token_hex(16)
        parameters = xllamacpp.CommonParams()
        parameters.model.path = str(gguf)
        parameters.n_ctx = context_tokens
        parameters.n_gpu_layers = 0
        parameters.n_parallel = 1
        parameters.fit_params = False
        parameters.warmup = False
        parameters.ui = False
        parameters.offline = True
        parameters.verbosity = SILENT
        parameters.cache_ram_mib = 0
        parameters.hostnames = ["127.0.0.1"]
        parameters.cors_origins = "http://127.0.0.1"
        parameters.api_keys = [self._key]
        # the default rounds the attention's memory to float16
        parameters.cache_type_k = xllamacpp.ggml_type.GGML_TYPE_F32
        parameters.cache_type_v = xllamacpp.ggml_type.GGML_TYPE_F32
        try:
            self._server = xllamacpp.Server(parameters)
        except RuntimeError as error:
            raise ExportError(f"{gguf}: llama.cpp cannot load it: {error}") from error
        # closed before its loop began, the server never ends; an answer out of the loop's queue
        # says that it runs (without this 1 of about 100 empty sessions hung on a busy machine)
        self._ask("/slots", None)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server = None  # its destructor ends the server's threads

    def tokenise(self, text: str) -> list[int]:
        """Ids of a text, none added, control tokens taken as text."""
        request = {"content": text, "add_special": False, "parse_special": False}
        ids: list[int] = self._ask("/tokenize", request)["tokens"]
        return ids

    def complete(self, prompt: str | Sequence[int], tokens: int, **sampling: Any) -> dict[str, Any]:
        """llama.cpp's answer to ``/completion``: content, tokens, completion_probabilities."""
        prompt = prompt if isinstance(prompt, str) else list(prompt)
        request = {"prompt": prompt, "n_predict": tokens, "return_tokens": True, **sampling}
        answer: dict[str, Any] = self._ask("/completion", request)
        return answer

    def _ask(self, path: str, question: dict[str, Any] | None) -> Any:
        """The answer to a question, or to a plain GET where there is none."""
        request = urllib.request.Request(
            f"{self._server.listening_address}{path}",
            data=None if question is None else json.dumps(question).encode(),
            headers={"Content-Type": "application/json", "Authorization": f"Bearer {self._key}"},
        )
        # a proxy of the environment has no business with the loopback address
        direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with direct.open(request, timeout=REQUEST_SECONDS) as response:
                return json.load(response)
        except urllib.error.URLError as error:
            raise ExportError(f"{self.gguf}: llama.cpp did not answer {path}: {error}") from error


def generate(
    gguf: Path,
    prompt: str,
    *,
    tokens: int = 60,
    temperature: float = 0.0,
    repeat_penalty: float = 1.1,
    seed: int = 1,
) -> str:
    """What a GGUF file continues a prompt with; greedy unless a temperature is given."""
    with LlamaServer(gguf, context_tokens=2_048) as server:
        answer = server.complete(
            prompt, tokens, temperature=temperature, repeat_penalty=repeat_penalty, seed=seed
        )
    content: str = answer["content"]
    return content
