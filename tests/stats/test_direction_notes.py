"""What is said of the directions behind a table."""

from __future__ import annotations

from small_frames import scores_frame, truth_frame

from nasanalysis.stats import correlate, direction_notes

ACCURACY = {f"user:{i:02d}": 50.0 + i for i in range(20)}
TRUTH = truth_frame(ACCURACY)
GOOD = {arch: value - 49 for arch, value in ACCURACY.items()}
BAD = {arch: -value for arch, value in GOOD.items()}


def _notes(values: dict[str, dict[str, float]], **options: object) -> list[str]:
    scores = scores_frame(values)
    given = options.get("directions")
    stats = correlate(TRUTH, scores, n_boot=50, **options)  # type: ignore[arg-type]
    return direction_notes(stats, scores, given)  # type: ignore[arg-type]


def test_nothing_is_said_where_nothing_is_in_doubt() -> None:
    assert _notes({"params": GOOD, "val_acc": GOOD, "valAccuracy": GOOD}) == []


def test_an_unknown_name_is_noted() -> None:
    assert _notes({"mine": GOOD}) == [
        "direction of mine: not known, higher is taken as better; if lower is: --direction mine=lower"
    ]


def test_a_strongly_negative_score_gets_a_hint_unless_its_direction_was_given() -> None:
    (hint,) = _notes({"mine": BAD})
    assert hint.startswith("mine: spearman_rho -1.00 [")
    assert hint.endswith("with higher taken as better (assumed): does lower mean better? Then: --direction mine=lower")
    assert _notes({"mine": BAD}, directions={"mine": "higher"}) == []
    assert _notes({"mine": BAD}, directions={"mine": "lower"}) == []


def test_a_sum_of_losses_that_is_negative_is_said() -> None:
    """A column called sotl that holds -loss was turned round in silence."""
    for name in ("sotl", "valLoss"):
        assert _notes({name: BAD | {"user:00": -0.5}}) == [
            f"{name}: none of its 20 values is above 0, though lower is better in what is called so: are they negated? "
            f"If higher is better here: --direction {name}=higher"
        ]


def test_the_table_says_where_a_direction_comes_from() -> None:
    scores = scores_frame(dict.fromkeys(("sotl", "valLoss", "mine", "other"), GOOD))
    table = correlate(TRUTH, scores, n_boot=0, directions={"other": "lower"})
    said = dict(zip(table["proxy"], zip(table["direction"], table["direction_source"], strict=True), strict=True))
    assert said == {
        "sotl": (-1, "ours"),
        "valLoss": (-1, "by name"),
        "mine": (1, "assumed"),
        "other": (-1, "given"),
    }
