# A layer in another format.
rule translate:
    input:
        layer="<results>/{aoi}/{date}/{layer}.parquet",
        style="<results>/{aoi}/{date}/{layer}.qml",
    output:
        "<results>/{aoi}/{date}/{layer}.{format}",
    log:
        "<results>/{aoi}/{date}/logs/{layer}.{format}.log",
    benchmark:
        "<results>/{aoi}/{date}/logs/{layer}.{format}.tsv"
    wildcard_constraints:
        layer="landcover|buildings|roads|road_nodes",
        format="geojson|geojsonl|gpkg",
    params:
        version=VERSIONS["translate"],
    shell:
        "geoseg translate {input.layer:q} {output:q} 2> {log:q}"
