"""Where people made these mistakes: the beginnings of addresses that modules share."""

GITHUB = "https://github.com/"
BOOK = GITHUB + "oreilly-japan/deep-learning-from-scratch/"
SECOND_BOOK = GITHUB + "oreilly-japan/deep-learning-from-scratch-2/"
BOOK_LAYERS = BOOK + "blob/master/common/layers.py"
BOOK_FUNCTIONS = BOOK + "blob/master/common/functions.py"
TORCH_CROSS_ENTROPY = (
    "https://docs.pytorch.org/docs/stable/generated/torch.nn.CrossEntropyLoss.html"
)
