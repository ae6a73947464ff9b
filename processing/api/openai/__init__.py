"""The audio API of OpenAI, so that what is written for it works with us unchanged.

Each request is one of ours: a recording is submitted, cut, heard by the workers and joined, and
the answer is the transcript in OpenAI's shapes. What we cannot say we leave out, or refuse.
"""
