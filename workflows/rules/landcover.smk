# Polygons of the map, and styles of map and polygons.
rule landcover:
    input:
        classes="<results>/{aoi}/{date}/landcover.tif",
        confidence="<results>/{aoi}/{date}/confidence.tif",
    output:
        parquet="<results>/{aoi}/{date}/landcover.parquet",
        geojson="<results>/{aoi}/{date}/landcover.geojson",
        style="<results>/{aoi}/{date}/landcover.qml",
        confidence_style="<results>/{aoi}/{date}/confidence.qml",
        figures="<results>/{aoi}/{date}/work/landcover.json",
    log:
        "<results>/{aoi}/{date}/logs/landcover.log",
    benchmark:
        "<results>/{aoi}/{date}/logs/landcover.tsv"
    params:
        version=VERSIONS["landcover"],
    shell:
        "geoseg landcover {input.classes:q} {input.confidence:q} {output.figures:q} 2> {log:q}"
