# The figures of the run, beside its products.
rule report:
    input:
        plan="<results>/{aoi}/{date}/work/plan.json",
        tiles="<results>/{aoi}/{date}/work/tiles.json",
        figures=lambda w: asked.figures(w.aoi, w.date),
        delivered=lambda w: asked.delivered(w.aoi, w.date),
    output:
        "<results>/{aoi}/{date}/run.json",
    log:
        "<results>/{aoi}/{date}/logs/report.log",
    benchmark:
        "<results>/{aoi}/{date}/logs/report.tsv"
    params:
        model=lambda w: asked.model(w.aoi),
        version=VERSIONS["report"],
    shell:
        "geoseg report {input.plan:q} {input.tiles:q} {output:q} {input.figures:q} {input.delivered:q} 2> {log:q}"
