"""Stages: each module is one step of a pipeline, a pure plan of what to generate from what is known so far.

Adding a stage is a new module here, its prompt, and a line in `flows.pipelines`; no other stage changes.
"""
