"""Every product of the areas asked for: snakemake --cores all --config aoi=aoi/demo.yaml

Config: `aoi`, an AOI file, several with commas between them, or a list; `results`, a folder. `geoseg run` calls this
and says in plain words what goes on.
"""

import sys
from pathlib import Path
from shlex import quote

from snakemake.utils import min_version

from geoseg.errors import GeosegError
from geoseg.io.delivery import (
    CHANGE_FIGURES,
    FROM_TO_FILES,
    SERIES,
    ZONE_FILES,
    change_files,
)
from geoseg.io.workflow import VERSIONS, read_workflow

min_version("9.13.7")

try:
    asked = read_workflow(config)
except GeosegError as error:
    raise WorkflowError(str(error)) from None


workdir: asked.home


# Built from this folder by workflows/Dockerfile; used only with --software-deployment-method apptainer.
container: "docker-daemon://geoseg:0.1.0"


# `geoseg` of the environment that runs this, whether or not that is activated
shell.prefix(f"export PATH={quote(str(Path(sys.executable).parent))}:$PATH; ")


pathvars:
    results=asked.results,
    towns=asked.towns,


wildcard_constraints:
    aoi=r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}",
    date=r"\d{4}-\d{2}-\d{2}",
    part=r"\d{4}-\d{2}-\d{2}|change",


localrules:
    all,
    plans,


rule all:
    input:
        asked.targets(),


# Asked for first by `geoseg run`. Snakemake compares what a step is given only with what it was given in an earlier
# call: within one, a plan that was made again would run all that follows, though the plan is as it was.
rule plans:
    input:
        asked.plans(),


include: "workflows/rules/town.smk"
include: "workflows/rules/plan.smk"
include: "workflows/rules/predict.smk"
include: "workflows/rules/stitch.smk"
include: "workflows/rules/probs.smk"
include: "workflows/rules/landcover.smk"
include: "workflows/rules/buildings.smk"
include: "workflows/rules/roads.smk"
include: "workflows/rules/translate.smk"
include: "workflows/rules/vectors_check.smk"
include: "workflows/rules/zones.smk"
include: "workflows/rules/report.smk"
include: "workflows/rules/change.smk"
