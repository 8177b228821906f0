# Areas by zone: of the classes of a date, or of the transitions of change.
rule zones:
    input:
        classes=lambda w: asked.counted(w.aoi, w.part),
        layer=lambda w: asked.zones(w.aoi),
    output:
        expand("<results>/{{aoi}}/{{part}}/zones/{name}", name=ZONE_FILES),
    log:
        "<results>/{aoi}/{part}/logs/zones.log",
    benchmark:
        "<results>/{aoi}/{part}/logs/zones.tsv"
    params:
        folder=lambda w, output: str(Path(output[0]).parent),
        flags=lambda w: asked.zone_flags(w.aoi),
        stamp=lambda w: asked.zone_stamp(w.aoi),
        version=VERSIONS["zones"],
    shell:
        "geoseg zones {input.classes:q} {input.layer:q} {params.folder:q} {params.flags:q} 2> {log:q}"


# What became of what in each zone, from the first date to the last.
use rule zones as zones_from_to with:
    input:
        classes=lambda w: asked.counted(w.aoi, asked.dates(w.aoi)[0]),
        layer=lambda w: asked.zones(w.aoi),
        after=lambda w: asked.counted(w.aoi, asked.dates(w.aoi)[-1]),
    output:
        expand("<results>/{{aoi}}/change/zones_from_to/{name}", name=FROM_TO_FILES),
    log:
        "<results>/{aoi}/change/logs/zones_from_to.log",
    benchmark:
        "<results>/{aoi}/change/logs/zones_from_to.tsv"
    params:
        folder=lambda w, output: str(Path(output[0]).parent),
        flags=lambda w: asked.zone_flags(w.aoi, from_to=True),
        stamp=lambda w: asked.zone_stamp(w.aoi),
        version=VERSIONS["zones"],
