"""Croissant (mlcommons.org/croissant, format 1.0): the description of a folder of Parquet files that others can host.

A file is a ``FileObject`` with its SHA-256, a frame a ``RecordSet`` whose fields are its columns, with what they mean.
`mlcroissant`, the reference implementation, validates and loads it; nothing here needs it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from ..core.columns import meaning
from ..core.provenance import sha256
from ..core.schemas import SCHEMAS

#: The name of the description in its folder.
NAME = "croissant.json"
CONFORMS_TO = "http://mlcommons.org/croissant/1.0"
_CR = (
    *(
        "citeAs",
        "column",
        "equivalentProperty",
        "extract",
        "field",
        "fileProperty",
        "fileObject",
        "fileSet",
        "format",
        "includes",
    ),
    *("isLiveDataset", "jsonPath", "key", "md5", "parentField", "path", "recordSet", "references", "regex"),
    *("repeated", "replace", "samplingRate", "separator", "source", "subField", "transform"),
)
#: The context of the format's specification.
CONTEXT: dict[str, Any] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "dct": "http://purl.org/dc/terms/",
    "sc": "https://schema.org/",
    "conformsTo": "dct:conformsTo",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "examples": {"@id": "cr:examples", "@type": "@json"},
    **{word: f"cr:{word}" for word in _CR},
}
_TYPES = {
    pl.String(): "sc:Text",
    pl.Int64(): "sc:Integer",
    pl.Float64(): "sc:Float",
    pl.Float32(): "sc:Float",
    pl.Boolean(): "sc:Boolean",
}


@dataclass(frozen=True)
class About:
    """What a description says beside the columns.

    Attributes
    ----------
    name, description: of the data set. version: of its making, ``MAJOR.MINOR.PATCH``.
    licences: SPDX names or addresses. citations: works to cite. urls: where it comes from.
    """

    name: str
    description: str
    version: str
    licences: tuple[str, ...]
    citations: tuple[str, ...]
    urls: tuple[str, ...]


def describe(about: About, files: Sequence[tuple[str, Path]]) -> dict[str, Any]:
    """The JSON-LD of `files`, pairs of a frame's name and its Parquet file, which lie beside the description."""
    return {
        "@context": CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": CONFORMS_TO,
        "name": about.name,
        "description": about.description,
        "version": about.version,
        "license": list(about.licences),
        "citeAs": "; ".join(about.citations),
        "url": about.urls[0],
        "sameAs": list(about.urls[1:]),
        "keywords": ["neural architecture search", "benchmark"],
        "distribution": [_file_object(path) for _, path in files],
        "recordSet": [_record_set(frame, path) for frame, path in files],
    }


def _file_object(path: Path) -> dict[str, Any]:
    return {
        "@type": "cr:FileObject",
        "@id": path.name,
        "name": path.name,
        "contentUrl": path.name,
        "contentSize": f"{path.stat().st_size} B",
        "encodingFormat": "application/x-parquet",
        "sha256": sha256(path),
    }


def _record_set(frame: str, path: Path) -> dict[str, Any]:
    name = path.stem
    schema = SCHEMAS[frame]
    return {
        "@type": "cr:RecordSet",
        "@id": name,
        "name": name,
        "description": f"{frame}: rows are told apart by {', '.join(schema.keys)}.",
        "key": [{"@id": f"{name}/{column}"} for column in schema.keys],
        "field": [_field(frame, name, column, dtype, path) for column, dtype in schema.columns.items()],
    }


def _field(frame: str, name: str, column: str, dtype: pl.DataType, path: Path) -> dict[str, Any]:
    return {
        "@type": "cr:Field",
        "@id": f"{name}/{column}",
        "name": column,
        "description": meaning(frame, column),
        "dataType": _TYPES[dtype],
        "source": {"fileObject": {"@id": path.name}, "extract": {"column": column}},
    }
