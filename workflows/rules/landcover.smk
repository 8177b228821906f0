# Polygons of the map, as people would have drawn them.
rule landcover:
    input:
        classes="<results>/{aoi}/{date}/landcover.tif",
        confidence="<results>/{aoi}/{date}/confidence.tif",
    output:
        layer="<results>/{aoi}/{date}/landcover.parquet",
        figures="<results>/{aoi}/{date}/work/landcover.json",
    log:
        "<results>/{aoi}/{date}/logs/landcover.log",
    benchmark:
        "<results>/{aoi}/{date}/logs/landcover.tsv"
    params:
        settings=lambda w: asked.drawing(w.aoi, "landcover"),
        version=VERSIONS["landcover"],
    shell:
        "geoseg landcover {input.classes:q} {input.confidence:q} {output.figures:q} --settings {params.settings:q}"
        " 2> {log:q}"
