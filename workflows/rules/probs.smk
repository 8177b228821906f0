# Probability of every class, from tiles: delivered, or for a step that reads it and then removed. It waits for the maps,
# so that two steps never compute a lost tile at the same time.
rule probs:
    input:
        plan="<results>/{aoi}/{date}/work/plan.json",
        tiles="<results>/{aoi}/{date}/work/tiles.json",
        classes="<results>/{aoi}/{date}/landcover.tif",
    output:
        "<results>/{aoi}/{date}/probs.tif",
    log:
        "<results>/{aoi}/{date}/logs/probs.log",
    benchmark:
        "<results>/{aoi}/{date}/logs/probs.tsv"
    params:
        model=lambda w: asked.model(w.aoi),
        version=VERSIONS["probs"],
    shell:
        "geoseg probs {input.plan:q} {input.tiles:q} {output:q} 2> {log:q}"


use rule probs as probs_for_a_while with:
    output:
        temp("<results>/{aoi}/{date}/work/probs.tif"),
