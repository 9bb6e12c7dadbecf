"""`python -m tests.deploy.snapshot` writes down what a Prefect server is to show, for the test that holds it."""

import json
import tempfile
from pathlib import Path

from deployments.surface.shape import shapes_of
from deployments.surface.spec import surface_of
from tasks.settings import Settings

if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as home:
        shapes = {
            " ".join(key).strip(): shape for key, shape in shapes_of(surface_of(Settings(home=home))).items()
        }
    for shape in shapes.values():
        shape.pop("version", None)
    Path(__file__).with_name("surface.json").write_text(json.dumps(shapes, indent=1, sort_keys=True) + "\n")
