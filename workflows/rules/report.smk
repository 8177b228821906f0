# The figures of the run, beside its products.
rule report:
    input:
        plan="<results>/{aoi}/{date}/work/plan.json",
        tiles="<results>/{aoi}/{date}/work/tiles.json",
        figures="<results>/{aoi}/{date}/work/landcover.json",
        products=multiext(
            "<results>/{aoi}/{date}/",
            "landcover.tif",
            "confidence.tif",
            "landcover.parquet",
            "landcover.geojson",
            "landcover.qml",
            "confidence.qml",
        ),
    output:
        "<results>/{aoi}/{date}/run.json",
    log:
        "<results>/{aoi}/{date}/logs/report.log",
    benchmark:
        "<results>/{aoi}/{date}/logs/report.tsv"
    params:
        products=lambda w: asked.settings(w.aoi, w.date, "products"),
        model=lambda w: asked.model(w.aoi),
        version=VERSIONS["report"],
    shell:
        "geoseg report {input.plan:q} {input.tiles:q} {input.figures:q} {output:q} 2> {log:q}"
