"""What libraries say about themselves, kept out of a log that a person reads."""

import logging
import warnings


def silence_libraries() -> None:
    """Two lines fewer in each process; real warnings still show."""
    # said on every machine without a GPU, also where nobody asked for DeepSpeed
    logging.getLogger("DeepSpeed").addFilter(lambda record: record.levelno > logging.WARNING)
    # said at import on a CPU where nothing is quantised: one kernel could be faster
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)
    # transformers warns of names that it uses itself
    warnings.filterwarnings("ignore", category=FutureWarning, module="transformers")
    # torch warns of names that DeepSpeed uses, twice a step
    warnings.filterwarnings("ignore", category=FutureWarning, module="torch.distributed")
