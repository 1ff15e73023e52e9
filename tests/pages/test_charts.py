"""The axes and the direct labels of charts."""

import json

import pytest
from streamlit.testing.v1 import AppTest

from ui.charts import apart, fitting


def test_an_axis_fits_its_values_with_room_on_both_sides():
    assert fitting([0.2, 1.2]) == pytest.approx((0.12, 1.28))


def test_an_axis_of_equal_values_has_a_height():
    assert fitting([1.0, 1.0], most=1.0) == pytest.approx((0.95, 1.0))
    low, high = fitting([0.0])
    assert low == 0.0 < high


def test_no_axis_of_losses_begins_below_zero():
    assert fitting([0.01, 5.0])[0] == 0.0


def test_labels_of_lines_that_end_together_are_moved_apart():
    assert apart([0.5, 0.1, 0.51], 0.1, top=1.0) == pytest.approx([0.5, 0.1, 0.6])


def test_labels_stay_below_the_top_of_the_chart():
    assert apart([1.0, 1.0, 1.0], 0.1, top=1.0) == pytest.approx([0.8, 0.9, 1.0])


def test_axes_can_be_read_and_have_percentages_as_the_page_writes_them():
    def page():
        from ui import charts

        charts.bars([{"of": "a", "share": 0.5}], "share", "of", "half")

    [chart] = AppTest.from_function(page).run().get("vega_lite_chart")
    config = json.loads(chart.proto.spec)["config"]
    assert config["axis"]["labelColor"] == "#1c2330"
    assert config["locale"]["number"]["percent"] == " %"
