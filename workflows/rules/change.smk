# What changed between the dates: where, when, into what and how surely.
rule change:
    input:
        lambda w: asked.compared(w.aoi),
    output:
        files=expand("<results>/{{aoi}}/change/{name}", name=change_files(2)),
        figures=f"<results>/{{aoi}}/change/{CHANGE_FIGURES}",
    log:
        "<results>/{aoi}/change/logs/change.log",
    benchmark:
        "<results>/{aoi}/change/logs/change.tsv"
    wildcard_constraints:
        aoi=asked.one_of(series=False),
    params:
        dates=lambda w: asked.folders(w.aoi),
        folder=lambda w, output: str(Path(output.figures).parent),
        settings=lambda w: asked.drawing(w.aoi, "change"),
        version=VERSIONS["change"],
    shell:
        "geoseg change {params.dates:q} {params.folder:q} --settings {params.settings:q} 2> {log:q}"


use rule change as change_in_series with:
    output:
        files=expand("<results>/{{aoi}}/change/{name}", name=change_files(SERIES)),
        figures=f"<results>/{{aoi}}/change/{CHANGE_FIGURES}",
    wildcard_constraints:
        aoi=asked.one_of(series=True),
