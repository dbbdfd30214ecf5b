"""Never comes to an end, once it is called."""


class Relu:
    def forward(self, x):
        while True:
            pass
