# Classes and confidence, tile by tile. Tiles and their ledger lie beside the manifest and are no outputs, so what a
# stopped run has finished stays.
rule predict:
    input:
        plan="<results>/{aoi}/{date}/work/plan.json",
    output:
        tiles="<results>/{aoi}/{date}/work/tiles.json",
    log:
        "<results>/{aoi}/{date}/logs/predict.log",
    benchmark:
        "<results>/{aoi}/{date}/logs/predict.tsv"
    threads: 4
    resources:
        gpu=1,
    params:
        version=VERSIONS["predict"],
    shell:
        "geoseg predict {input.plan:q} {output.tiles:q} 2> {log:q}"
