# Footprints of buildings, one by one.
rule buildings:
    input:
        classes="<results>/{aoi}/{date}/landcover.tif",
        confidence="<results>/{aoi}/{date}/confidence.tif",
    output:
        layer="<results>/{aoi}/{date}/buildings.parquet",
        style="<results>/{aoi}/{date}/buildings.qml",
        figures="<results>/{aoi}/{date}/work/buildings.json",
    log:
        "<results>/{aoi}/{date}/logs/buildings.log",
    benchmark:
        "<results>/{aoi}/{date}/logs/buildings.tsv"
    params:
        settings=lambda w: asked.drawing(w.aoi, "buildings"),
        version=VERSIONS["buildings"],
    shell:
        "geoseg buildings {input.classes:q} {input.confidence:q} {output.figures:q} --settings {params.settings:q}"
        " 2> {log:q}"
