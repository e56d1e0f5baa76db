"""`LocalVlmJudge`: a vision-language model of transformers as an expression judge, asked with the rubric.

It gets the question and gives the answer of an endpoint (rubric.py, answers.py): the 12 intensities as JSON, greedily
decoded, so two runs give the same answer. Nothing is downloaded.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from pxs.editing.parts import quiet
from pxs.errors import JudgeError, JudgeSetupError, one_line
from pxs.judging.answers import RefusedError, UnusableError
from pxs.judging.each import judge_each
from pxs.judging.rubric import RUBRIC, Asked, Rubric, rubric

TOKENS = 1024  # of an answer, thoughts included


class LocalVlmJudge:
    """`model` is an image-text-to-text model of transformers, `processor` its processor with a chat template.

    Raises JudgeSetupError for a processor without one.
    """

    role = "score"

    def __init__(
        self, model: Any, processor: Any, name: str = "local-vlm", tokens: int = TOKENS, rubric: Rubric = RUBRIC
    ) -> None:
        if not getattr(processor, "chat_template", None):
            raise JudgeSetupError(f"the processor of {name} has no chat template: give an instruction-tuned model")
        self.model, self.processor, self.tokens = model, processor, tokens
        self.name, self.rubric, self._called = f"{name} {rubric.version}", rubric, name

    def in_order(self, order: Sequence[str]) -> LocalVlmJudge:
        """The same model, asked with the expressions in another order."""
        return self.asked(rubric(order))

    def asked(self, rubric: Rubric) -> LocalVlmJudge:
        """The same model, asked another question, whose answers `judge` then gives."""
        return LocalVlmJudge(self.model, self.processor, self._called, self.tokens, rubric)

    @classmethod
    def from_folder(cls, folder: str | Path, device: str | None = None) -> LocalVlmJudge:
        """The judge from a checkpoint folder, or a hub id whose files are on disk.

        On `device`, by default a GPU where there is one. Raises JudgeSetupError if it cannot be loaded.
        """
        from transformers import AutoModelForImageTextToText, AutoProcessor

        device = device or ("cuda" if torch.cuda.is_available() else "cpu")
        try:
            with quiet():
                processor = AutoProcessor.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
                model = AutoModelForImageTextToText.from_pretrained(
                    folder, local_files_only=True, trust_remote_code=False, use_safetensors=True, dtype="auto"
                )
        except Exception as error:
            raise JudgeSetupError(
                f"{str(folder)!r} is no vision-language model that is on disk ({one_line(error)}): give another folder"
            ) from None
        return cls(model.to(device).eval(), processor, Path(folder).name)

    @torch.inference_mode()
    def judge(self, images: Sequence[Asked]) -> list[Any]:
        """One mix per image (any mode and size), intensities in [0, 1].

        Raises UnjudgedError for images that the model refuses to judge, or to which it gives no usable answer.
        """
        return judge_each(lambda i, image: self._judge(image, f"picture {i}"), images)

    def _judge(self, image: Asked, name: str) -> Any:
        try:
            return self.rubric.read(self.answer(image))
        except RefusedError as error:
            raise RefusedError(f"{name}: {error}: judge it by another model") from None
        except UnusableError as error:
            raise JudgeError(f"{name}: no usable answer from {self.name} ({error}): try another model") from None

    def answer(self, image: Asked) -> str:
        """The text that the model answers about an image, or about words."""
        content: list[dict[str, Any]] = [{"type": "text", "text": self.rubric.prompt}]
        if isinstance(image, str):
            content[0]["text"] += f"\n{image}"
        else:
            content.insert(0, {"type": "image", "image": image.convert("RGB")})
        inputs = self.processor.apply_chat_template(
            [{"role": "user", "content": content}],
            add_generation_prompt=True,
            tokenize=True,
            return_dict=True,
            return_tensors="pt",
        ).to(self.model.device)
        made = self.model.generate(**inputs, max_new_tokens=self.tokens, do_sample=False)
        return str(self.processor.decode(made[0, inputs["input_ids"].shape[1] :], skip_special_tokens=True))
