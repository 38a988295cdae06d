"""Chat: instruction data, prompt templates, and the fine-tuning that teaches to answer.

The stages stand here and need no torch. Functions: `instruction.make_instruction_data`,
`tune.train_sft`; the tuned model is merged by `nativize.model.merge.merge_checkpoints`.
"""

from nativize.artifact import Stage
from nativize.model import TRAINING_LOGS

INSTRUCT = Stage(name="instruction_data", version=1, group="chat", reads=("chat.template",))

SFT = Stage(
    name="sft_checkpoints",
    version=1,
    group="chat",
    inputs=("pretrained_model", "instruction_data"),
    reads=("chat",),
    volatile=TRAINING_LOGS,
)

SFT_MODEL = Stage(
    name="sft_model",
    version=2,
    group="chat",
    inputs=("pretrained_model", "sft_checkpoints"),
)

__all__ = ["INSTRUCT", "SFT", "SFT_MODEL"]
