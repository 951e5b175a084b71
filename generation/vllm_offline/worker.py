"""The process that holds vLLM: one JSON object a line in, one out. It runs in vLLM's environment, without our files.

Every call is of one adapter, or of none: vLLM 0.32 silently gives rows of a mixed call another adapter's answers.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any


class Engine:
    """One base model, and adapters on top of it."""

    def __init__(self, said: dict[str, Any]) -> None:
        from vllm import LLM, __version__  # noqa: PLC0415 - only this process has it
        from vllm.platforms import current_platform  # noqa: PLC0415 - only this process has it

        is_cpu = bool(current_platform.is_cpu())
        small = {"enforce_eager": True, "gpu_memory_utilization": 0.3} if is_cpu else {}
        lora = {"enable_lora": True, "max_lora_rank": said["max_rank"], "max_loras": 1} if said["max_rank"] else {}
        self.llm = LLM(
            model=said["model"],
            revision=said["revision"],
            dtype=said["dtype"],
            max_model_len=said["positions"],
            tensor_parallel_size=said["devices"],
            generation_config="vllm",
            logprobs_mode="raw_logprobs",
            seed=0,
            **small,
            **lora,
        )
        self.told = {"vllm": __version__, "device": str(current_platform.device_type)}

    def answer(self, said: dict[str, Any]) -> dict[str, Any]:
        """Continue prompts, each by its own seed; the token that ends an answer is left out."""
        from vllm import SamplingParams  # noqa: PLC0415 - only this process has it

        params = [
            SamplingParams(
                temperature=said["temperature"],
                top_p=said["top_p"],
                top_k=0,
                min_p=0.0,
                presence_penalty=0.0,
                frequency_penalty=0.0,
                repetition_penalty=1.0,
                max_tokens=row["max_tokens"],
                min_tokens=0,
                seed=row["seed"],
                stop_token_ids=said["ends"],
                detokenize=False,
            )
            for row in said["rows"]
        ]
        rows = []
        for out in self._generate(said, params):
            (one,) = out.outputs
            tokens = list(one.token_ids)
            if tokens and tokens[-1] in said["ends"]:
                tokens.pop()
            rows.append({"tokens": tokens, "finish": one.finish_reason})
        return {"rows": rows}

    def score(self, said: dict[str, Any]) -> dict[str, Any]:
        """Log-probability of one wanted token after each prompt, before any sampling setting, and the likeliest one.

        A token at a time: log-probabilities of a prompt's own tokens fail beside an adapter (vLLM 0.32, CPU).
        """
        from vllm import SamplingParams  # noqa: PLC0415 - only this process has it

        params = [
            SamplingParams(temperature=0.0, max_tokens=1, logprob_token_ids=[row["wanted"]], detokenize=False)
            for row in said["rows"]
        ]
        rows = []
        for row, out in zip(said["rows"], self._generate(said, params), strict=True):
            (one,) = out.outputs
            rows.append({"log_p": one.logprobs[0][row["wanted"]].logprob, "first": one.token_ids[0]})
        return {"rows": rows}

    def _generate(self, said: dict[str, Any], params: list[Any]) -> list[Any]:
        from vllm.lora.request import LoRARequest  # noqa: PLC0415 - only this process has it

        adapter = said["adapter"]
        lora = None if adapter is None else LoRARequest(adapter["name"], adapter["id"], adapter["path"])
        prompts = [{"prompt_token_ids": row["tokens"]} for row in said["rows"]]
        done: list[Any] = self.llm.generate(prompts, params, lora_request=lora, use_tqdm=False)
        if [out.prompt_token_ids for out in done] != [row["tokens"] for row in said["rows"]]:
            raise RuntimeError("vLLM answered other prompts than it was asked, or in another order")
        return done


def main() -> None:
    """Answer until the line in is closed; replies go to the file descriptor named by the first argument."""
    engine: Engine | None = None
    with os.fdopen(int(sys.argv[1]), "w", encoding="utf-8") as replies:
        for line in sys.stdin:
            said = json.loads(line)
            try:
                if engine is None:
                    engine = Engine(said)
                    reply = engine.told
                else:
                    reply = engine.answer(said) if said["op"] == "answer" else engine.score(said)
            except Exception as error:
                reply = {"error": f"{type(error).__name__}: {error}"[:2000]}
            replies.write(json.dumps(reply) + "\n")
            replies.flush()


if __name__ == "__main__":
    main()
