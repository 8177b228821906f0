# Area, scenes, grid, model and machine of one date, resolved and checked. All dates share the grid.
rule plan:
    input:
        lambda w: asked.inputs(w.aoi, w.date),
    output:
        "<results>/{aoi}/{date}/work/plan.json",
    log:
        "<results>/{aoi}/{date}/logs/plan.log",
    benchmark:
        "<results>/{aoi}/{date}/logs/plan.tsv"
    params:
        aoi=lambda w: asked.aoi_path(w.aoi),
        settings=lambda w: asked.settings(
            w.aoi, "area", "grid", "dates", "tiling", "views", "compute"
        ),
        stamps=lambda w: asked.stamps(w.aoi),
        model=lambda w: asked.model(w.aoi),
        probs=lambda w: asked.keeps_probs(w.aoi),
        version=VERSIONS["plan"],
    shell:
        "geoseg plan {params.aoi:q} {wildcards.date:q} {output:q} 2> {log:q}"
