# Proof that the layers hold: valid, without gaps and overlaps, and of the areas that the map has.
rule vectors_check:
    input:
        classes="<results>/{aoi}/{date}/landcover.tif",
        layers=lambda w: asked.layers(w.aoi, w.date),
        translated=lambda w: asked.translated(w.aoi, w.date),
        figures=lambda w: asked.figures(w.aoi, w.date),
    output:
        "<results>/{aoi}/{date}/vectors_check.json",
    log:
        "<results>/{aoi}/{date}/logs/vectors_check.log",
    benchmark:
        "<results>/{aoi}/{date}/logs/vectors_check.tsv"
    params:
        version=VERSIONS["vectors_check"],
    shell:
        "geoseg vectors_check {input.classes:q} {output:q} 2> {log:q}"
