# The demo's scenes and their truth, drawn by seeded code.
rule town:
    output:
        scene="<towns>/{date}.tif",
        truth="<towns>/{date}_truth.tif",
    log:
        "<results>/demo/{date}/logs/town.log",
    benchmark:
        "<results>/demo/{date}/logs/town.tsv"
    params:
        version=VERSIONS["town"],
    shell:
        "geoseg town {wildcards.date:q} {output.scene:q} {output.truth:q} 2> {log:q}"
