# Centre lines of roads as a network that routes.
rule roads:
    input:
        classes="<results>/{aoi}/{date}/landcover.tif",
        confidence="<results>/{aoi}/{date}/confidence.tif",
    output:
        edges="<results>/{aoi}/{date}/roads.parquet",
        nodes="<results>/{aoi}/{date}/road_nodes.parquet",
        graph="<results>/{aoi}/{date}/roads.graphml",
        styles=multiext("<results>/{aoi}/{date}/", "roads.qml", "road_nodes.qml"),
        figures="<results>/{aoi}/{date}/work/roads.json",
    log:
        "<results>/{aoi}/{date}/logs/roads.log",
    benchmark:
        "<results>/{aoi}/{date}/logs/roads.tsv"
    params:
        settings=lambda w: asked.drawing(w.aoi, "roads"),
        version=VERSIONS["roads"],
    shell:
        "geoseg roads {input.classes:q} {input.confidence:q} {output.figures:q} --settings {params.settings:q}"
        " 2> {log:q}"
