"""Names of the methods, without torch: see `nasanalysis.differentiable.methods`."""

from __future__ import annotations

_MODULE = "nasanalysis.differentiable.methods"

#: Name -> ``(space, epochs, **options) -> Method``; an open registry.
METHODS: dict[str, str] = {
    name: f"{_MODULE}:{name}"
    for name in (
        *("darts", "darts_20", "sotl_darts", "sotl_darts_20", "sovl_darts", "drnas", "sotl_drnas", "pdarts"),
        *("sotl_pdarts", "gdas", "snas", "enas", "random_ws", "sdarts_rs", "sdarts_adv", "sgas", "pc_darts"),
        *("darts_es", "darts_ada", "r_darts_l2", "r_darts_dp", "darts_pt", "darts_pt_fixed", "darts_pt_mag"),
        *("sdarts_pt", "sgas_pt", "gaea", "beta_darts", "oles", "reinmax", "most_parameters", "random_architecture"),
    )
}
