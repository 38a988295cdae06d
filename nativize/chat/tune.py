"""Supervised fine-tuning: adapters that learn to answer, and where an answer ends."""

from pathlib import Path

from nativize.artifact import Report, Workplace
from nativize.chat.samples import ChatSamples
from nativize.chat.template import read_template
from nativize.model.training import run_training
from nativize.recipe import Chat, Trainer
from nativize.train import Job, run_here
from nativize.train.launch import Launch


def train_sft(
    model: Path,
    data: Path,
    place: Workplace,
    *,
    chat: Chat,
    trainer: Trainer,
    launch: Launch = run_here,
) -> Report:
    """The adapter of a model tuned on dialogues, with its log and its chat template.

    Raises:
        ModelError: no dialogue can be trained on.
        TrainingError: the training failed.
    """
    samples = ChatSamples(data, model, chat.maximum_tokens, chat.seed)
    stage = chat.tuning(len(samples))
    job = Job(
        kind="chat",
        model=model,
        data=data,
        data_digest=samples.digest(),
        stage=stage,
        sequence_length=chat.maximum_tokens,
        batch_samples=stage.batch_tokens // chat.maximum_tokens,
        trainer=trainer,
        chat_template=read_template(data),
        work_dir=place.scratch / "training",
        output_dir=place.out,
    )
    report = run_training(job, place, launch)
    return Report({**report.metrics, "samples": len(samples), **samples.unusable})
