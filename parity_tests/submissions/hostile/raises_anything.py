"""Raises what is no Exception, and cannot be told as text."""
import os


class Anything(BaseException):
    def __str__(self):
        os.abort() if False else None
        raise self


class Relu:
    def forward(self, x):
        raise Anything
