"""Downloads: their addresses, and who can use them."""

from concurrent.futures import ThreadPoolExecutor

import streamlit as st
from starlette.applications import Starlette
from starlette.testclient import TestClient

from ui.downloads import _offered, address, route


def test_addresses_stay_stable_when_many_visitors_ask_at_once(tmp_path):
    paths = [tmp_path / f"{number}.csv" for number in range(300)]
    for path in paths:
        path.touch()
    before = dict(_offered)
    try:
        with ThreadPoolExecutor(8) as pool:
            found = list(pool.map(lambda path: address(path, "a.csv"), paths))
        assert [address(path, "a.csv") for path in paths] == found
    finally:
        _offered.clear()
        _offered.update(before)


def test_downloads_are_below_the_base_path_of_the_page(tmp_path):
    (tmp_path / "a.csv").write_text("hi")
    before = st.get_option("server.baseUrlPath")
    st.config.set_option("server.baseUrlPath", "/tox/")
    try:
        page = TestClient(Starlette(routes=[route()]))
        assert page.get(address(tmp_path / "a.csv", "a b.csv")).text == "hi"
        assert page.get("/tox/downloads/guess/a.csv").status_code == 404
    finally:
        st.config.set_option("server.baseUrlPath", before)
