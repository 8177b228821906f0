# The two maps, from tiles, and their styles.
rule stitch:
    input:
        plan="<results>/{aoi}/{date}/work/plan.json",
        tiles="<results>/{aoi}/{date}/work/tiles.json",
    output:
        classes="<results>/{aoi}/{date}/landcover.tif",
        confidence="<results>/{aoi}/{date}/confidence.tif",
        styles=multiext("<results>/{aoi}/{date}/", "landcover.qml", "confidence.qml"),
    log:
        "<results>/{aoi}/{date}/logs/stitch.log",
    benchmark:
        "<results>/{aoi}/{date}/logs/stitch.tsv"
    params:
        folder=lambda w, output: str(Path(output.classes).parent),
        model=lambda w: asked.model(w.aoi),
        version=VERSIONS["stitch"],
    shell:
        "geoseg stitch {input.plan:q} {input.tiles:q} {params.folder:q} 2> {log:q}"
